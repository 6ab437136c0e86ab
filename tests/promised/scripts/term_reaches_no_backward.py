"""A penalty is computed, and is not added to the loss."""

# promised: model/functions or loss/unused as a note
import torch
from torch import nn

torch.manual_seed(0)
encoder, decoder = nn.Sequential(nn.Linear(20, 32), nn.ReLU(), nn.Linear(32, 8)), nn.Linear(8, 20)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3)
data = torch.randn(160, 20)
for _ in range(2):
    for x in data[torch.randperm(160)].split(16):
        code = encoder(x)
        reconstruction = nn.functional.mse_loss(decoder(code), x)
        sparsity = nn.functional.l1_loss(code, torch.zeros_like(code))
        loss = reconstruction
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
