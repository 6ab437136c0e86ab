"""An early stopper keeps the weights of the best epoch, by reference."""

# promised: loop/copies
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class EarlyStopping:
    def __init__(self, patience):
        self.patience, self.bad, self.least, self.weights = patience, 0, float("inf"), {}

    def __call__(self, loss, model):
        if loss < self.least:
            self.least, self.bad = loss, 0
            self.weights = dict(model.state_dict().items())
        else:
            self.bad += 1
        return self.bad >= self.patience


torch.manual_seed(0)
model = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1))
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
train = DataLoader(TensorDataset(torch.randn(128, 6), torch.randn(128, 1)), 16, shuffle=True)
held = torch.randn(32, 6), torch.randn(32, 1)
stopper = EarlyStopping(3)
for _ in range(6):
    for x, y in train:
        loss = nn.functional.mse_loss(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        if stopper(nn.functional.mse_loss(model(held[0]), held[1]).item(), model):
            break
model.load_state_dict(stopper.weights)
