"""The optimiser has used the generator of parameters up, so that nothing is left to clip."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(64, 8), torch.randn(64, 1)), 8, shuffle=True)
model = nn.Linear(8, 1)
params = model.parameters()
optimizer = torch.optim.AdamW(params, lr=1e-3)
for _ in range(3):
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        nn.utils.clip_grad_norm_(params, 1.0)  # loop/gradients
        optimizer.step()
