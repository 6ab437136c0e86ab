"""Batches are drawn by a generator that is not saved: a resumed run reads the first ones again."""

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
step = 0
if arguments.resume:
    saved = torch.load(arguments.resume)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    step = saved["step"]
x, y = torch.randn(160, 10), torch.randint(3, (160,))
order = torch.Generator().manual_seed(0)
while step < 20:
    i = torch.randint(160, (16,), generator=order)
    loss = nn.functional.cross_entropy(model(x[i]), y[i])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    step += 1
    if step % 5 == 0:
        torch.save(
            {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step},
            "last.pt",
        )
