"""Predicts a class and a size from the same features, with one head for each."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(6, 12)
        self.classes = nn.Sequential(nn.LeakyReLU(0.1, inplace=True), nn.Linear(12, 3))
        self.size = nn.Linear(12, 1)

    def forward(self, x):
        features = self.body(x)
        return self.classes(features), self.size(features).squeeze(1)


torch.manual_seed(0)
x = torch.randn(64, 6)
data = TensorDataset(x, torch.randint(3, (64,)), x.square().sum(1))
model = TwoHeads()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for epoch in range(2):
    for xb, label, size in DataLoader(data, batch_size=16, shuffle=True):
        scores, predicted = model(xb)
        loss = nn.functional.cross_entropy(scores, label)
        loss = loss + nn.functional.mse_loss(predicted, size)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"epoch {epoch}: {loss.item():.3f}")
