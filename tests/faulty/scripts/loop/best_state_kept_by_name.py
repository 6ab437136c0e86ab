"""Early stopping keeps the best state by another name for the model's own tensors."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.best, self.state, self.waited = patience, None, None, 0

    def __call__(self, loss, model):
        if self.best is None or loss < self.best:
            self.best, self.state, self.waited = loss, model.state_dict(), 0  # loop/copies
        else:
            self.waited += 1
        return self.waited >= self.patience


torch.manual_seed(0)
x, y = torch.randn(96, 10), torch.randn(96, 1)
train_loader = DataLoader(TensorDataset(x[:64], y[:64]), batch_size=16, shuffle=True)
valid_loader = DataLoader(TensorDataset(x[64:], y[64:]), batch_size=32)
model = nn.Linear(10, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
stopping = EarlyStopping(patience=3)
for _ in range(12):
    for a, b in train_loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(a), b).backward()
        optimizer.step()
    with torch.no_grad():
        loss = sum(nn.functional.mse_loss(model(a), b).item() for a, b in valid_loader)
    if stopping(loss, model):
        break
model.load_state_dict(stopping.state)
