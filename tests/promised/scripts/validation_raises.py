"""The validation behind the first epoch reshapes its scores for three classes: there are four."""

# promised: training/runs
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
train = DataLoader(TensorDataset(torch.randn(160, 10), torch.randint(4, (160,))), 16, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(70, 10), torch.randint(4, (70,))), 16)
for epoch in range(3):
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    with torch.no_grad():
        scores = torch.cat([model(x) for x, _ in valid]).view(-1, 3)
    print(epoch, scores.shape)
