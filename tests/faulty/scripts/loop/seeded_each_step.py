"""A helper seeds everything, and is called where noise is drawn."""

import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def set_seed(seed=0):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)  # loop/batches


set_seed()
loader = DataLoader(TensorDataset(torch.randn(96, 6)), batch_size=16)
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 6))
optimizer = torch.optim.Adam(model.parameters())
for _ in range(3):
    for (x,) in loader:
        set_seed()
        noisy = x + 0.1 * torch.randn_like(x)
        loss = nn.functional.mse_loss(model(noisy), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
