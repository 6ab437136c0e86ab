"""The best state is copied, restored at the end, and saved with all that it takes to go on."""

import copy

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
train = DataLoader(TensorDataset(torch.randn(64, 8), torch.randn(64, 1)), 16, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(32, 8), torch.randn(32, 1)), 16)
model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.1), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters())
scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
best, state, waited = float("inf"), None, 0
for epoch in range(8):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    model.eval()
    with torch.no_grad():
        loss = sum(nn.functional.mse_loss(model(x), y).item() for x, y in valid)
    scheduler.step(loss)
    if loss < best:
        best, state, waited = loss, copy.deepcopy(model.state_dict()), 0  # nearly loop/copies
        saved = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        torch.save(saved, "checkpoint.pt")
    else:
        waited += 1
    if waited > 2:
        break
model.load_state_dict(state)
torch.save(model.state_dict(), "best.pt")
