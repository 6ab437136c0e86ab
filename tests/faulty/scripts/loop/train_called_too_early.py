"""A trainer switches back to training mode before it validates."""

import torch
from torch import nn
from torch.utils.data import DataLoader


class Trainer:
    def __init__(self, model, train_loader, valid_loader):
        self.model, self.train_loader, self.valid_loader = model, train_loader, valid_loader
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
        self.criterion = nn.MSELoss()

    def fit(self, epochs):
        for _ in range(epochs):
            self.model.eval()
            self.model.train()
            for batch in self.train_loader:
                self.optimizer.zero_grad()
                self.criterion(self.model(batch["x"]), batch["y"]).backward()
                self.optimizer.step()
            print(self.validate())

    def validate(self):
        total = 0.0
        for batch in self.valid_loader:
            with torch.no_grad():
                prediction = self.model(batch["x"])  # loop/evaluation
            total += self.criterion(prediction, batch["y"]).item()
        return total / len(self.valid_loader)


torch.manual_seed(0)
data = [{"x": torch.randn(6), "y": torch.randn(1)} for _ in range(96)]
model = nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.Tanh(), nn.Linear(16, 1))
Trainer(model, DataLoader(data[:64], 16, shuffle=True), DataLoader(data[64:], 16)).fit(3)
