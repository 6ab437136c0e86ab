"""The functions that save and load leave out the second network."""

# promised: training/resume or resume/state
# arguments: :training
from pathlib import Path

import torch
from torch import nn


def training():
    one, two = nn.Linear(6, 16), nn.Linear(16, 3)
    model = nn.Sequential(one, nn.Tanh(), two)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)

    def batch(i):
        torch.manual_seed(i)
        return torch.randn(16, 6), torch.randint(3, (16,))

    def step(data):
        x, y = data
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    def save(folder):
        torch.save(
            {"one": one.state_dict(), "optimizer": optimizer.state_dict()}, Path(folder, "state.pt")
        )

    def load(folder):
        state = torch.load(Path(folder, "state.pt"))
        one.load_state_dict(state["one"])
        optimizer.load_state_dict(state["optimizer"])

    return model, step, {"batch": batch, "save": save, "load": load}
