"""dict.copy() copies the names, not the tensors."""

# promised: loop/copies
import copy

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(8, 1)
optimizer = torch.optim.SGD(net.parameters(), 0.05)
x, y = torch.randn(160, 8), torch.randn(160, 1)
best_loss, best_weights = 1e9, copy.copy(net.state_dict())
for _ in range(3):
    for i in torch.randperm(128).split(16):
        loss = nn.functional.mse_loss(net(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        held = nn.functional.mse_loss(net(x[128:]), y[128:]).item()
    if held < best_loss:
        best_loss = held
        best_weights = net.state_dict().copy()
net.load_state_dict(best_weights)
torch.save(net.state_dict(), "net.pt")
