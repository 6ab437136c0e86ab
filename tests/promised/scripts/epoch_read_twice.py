"""A resumed run reads the epoch of its checkpoint once more."""

# promised: resume/state or resume/batches as a note
# arguments: --resume-with "--resume last.pt"
import argparse

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("--resume")
arguments = parser.parse_args()
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
first = 0
if arguments.resume:
    saved = torch.load(arguments.resume)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    first = saved["epoch"]
x, y = torch.randn(96, 10), torch.randint(3, (96,))
for epoch in range(first, 4):
    for i in torch.randperm(96, generator=torch.Generator().manual_seed(epoch)).split(16):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(
        {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": epoch},
        "last.pt",
    )
