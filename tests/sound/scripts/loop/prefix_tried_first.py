"""A body is loaded without its head; names with a prefix are tried first, and then without."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
whole = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 5))
torch.save(nn.DataParallel(whole).state_dict(), "whole.pt")

x, y = torch.randn(64, 10), torch.randn(64, 1)
model = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 1))
state = {n: t for n, t in torch.load("whole.pt").items() if ".2." not in n}
missing, _ = model.load_state_dict(state, strict=False)
if len(missing) == 4:
    state = {name.removeprefix("module."): tensor for name, tensor in state.items()}
    model.load_state_dict(state, strict=False)  # nearly loop/loaded
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(3):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(a), b).backward()
        optimizer.step()
