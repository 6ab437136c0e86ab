"""A schedule is made for updates of four batches, and stepped with each update."""

import torch
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR
from torch.utils.data import DataLoader, TensorDataset

EPOCHS, BATCHES = 4, 4
torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(128, 8), torch.randn(128, 1)), 8, shuffle=True)
model = nn.Linear(8, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
scheduler = OneCycleLR(optimizer, max_lr=1e-3, total_steps=EPOCHS * len(loader) // BATCHES)
for _ in range(EPOCHS):
    for i, (x, y) in enumerate(loader, start=1):
        (nn.functional.mse_loss(model(x), y) / BATCHES).backward()
        if i % BATCHES == 0:
            optimizer.step()
            optimizer.zero_grad()
            scheduler.step()  # nearly loop/schedule
