"""The folder of the checkpoints was never made."""

# promised: training/runs

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(8, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.05)
x, y = torch.randn(128, 8), torch.randn(128, 1)
for epoch in range(3):
    for i in torch.randperm(128).split(16):
        loss = nn.functional.mse_loss(net(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    torch.save({"net": net.state_dict(), "epoch": epoch}, f"checkpoints/{epoch}.pt")
