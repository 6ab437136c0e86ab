"""A schedule is made for updates of four batches, and stepped with each batch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

EPOCHS, BATCHES = 2, 4
torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(256, 8), torch.randn(256, 1)), 8, shuffle=True)
model = nn.Linear(8, 1)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
updates = EPOCHS * len(loader) // BATCHES
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda n: max(0.0, 1 - n / updates))
for _ in range(EPOCHS):
    for i, (x, y) in enumerate(loader, start=1):
        (nn.functional.mse_loss(model(x), y) / BATCHES).backward()
        if i % BATCHES == 0:
            optimizer.step()
            optimizer.zero_grad()
        scheduler.step()  # loop/schedule
