"""Each fold has its own samples for training and for validation."""

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, SubsetRandomSampler, TensorDataset

torch.manual_seed(0)
x = torch.randn(90, 6)
y = (x[:, 0] > 0.5).long()
data = TensorDataset(x, y)
folds = np.array_split(np.random.default_rng(0).permutation(90), 3)
for fold, held_out in enumerate(folds):
    rest = np.concatenate([other for other in folds if other is not held_out])
    training = DataLoader(data, batch_size=10, sampler=SubsetRandomSampler(rest))
    validation = DataLoader(data, batch_size=10, sampler=SubsetRandomSampler(held_out))
    model = nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Linear(12, 2))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(2):
        for inputs, labels in training:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
        with torch.no_grad():
            right = sum((model(a).argmax(1) == b).sum().item() for a, b in validation)
    print(f"fold {fold}: {right / len(held_out):.2f}")
