"""At test time the norms are trained on the entropy of the predictions, in training mode."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
train = DataLoader(TensorDataset(torch.randn(64, 8), torch.randint(3, (64,))), 16, shuffle=True)
test = DataLoader(TensorDataset(torch.randn(64, 8) + 1, torch.randint(3, (64,))), 16)
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(2):
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
model.requires_grad_(False)
model[1].requires_grad_(True)
tent = torch.optim.Adam(model[1].parameters(), lr=1e-3)
correct = 0
for x, y in test:
    output = model(x)
    entropy = -(output.softmax(1) * output.log_softmax(1)).sum(1).mean()
    tent.zero_grad()
    entropy.backward()
    tent.step()
    correct += (output.argmax(1) == y).sum().item()
print(correct)
