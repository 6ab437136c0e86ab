"""The names of a pretrained body begin with "module.", so that none of it is loaded."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
body = nn.Sequential(nn.Linear(10, 16), nn.ReLU())
torch.save(nn.DataParallel(body).state_dict(), "body.pt")

x, y = torch.randn(64, 10), torch.randn(64, 1)
model = nn.Sequential(nn.Sequential(nn.Linear(10, 16), nn.ReLU()), nn.Linear(16, 1))
model[0].load_state_dict(torch.load("body.pt"), strict=False)  # loop/loaded
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for _ in range(3):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(a), b).backward()
        optimizer.step()
