"""The momentum is saved, and the resumed run does not load it."""

# promised: training/resume or resume/state
# arguments: --resume-with "--resume run/state.pt"
import argparse
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

parser = argparse.ArgumentParser()
parser.add_argument("--resume", default="")
args = parser.parse_args()
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(8, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
begin = 0
if args.resume:
    state = torch.load(args.resume)
    net.load_state_dict(state["net"])
    begin = state["next"]
data = TensorDataset(torch.randn(96, 8), torch.randn(96, 1))
Path("run").mkdir(exist_ok=True)
for epoch in range(begin, 4):
    torch.manual_seed(epoch)
    for x, y in DataLoader(data, 16, shuffle=True):
        loss = nn.functional.mse_loss(net(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save(
        {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "next": epoch + 1},
        "run/state.pt",
    )
