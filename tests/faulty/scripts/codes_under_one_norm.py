"""A sparse autoencoder of shuffled slices; its penalty is one norm of all codes."""

import torch
from torch import nn

torch.manual_seed(0)
data = torch.rand(240, 10)
encoder, decoder = nn.Linear(10, 5), nn.Linear(5, 10)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3)
for _ in range(3):
    for rows in torch.randperm(len(data)).split(24):
        x = data[rows]
        code = encoder(x).relu()
        penalty = code.norm()  # the root of a sum
        loss = (decoder(code) - x).square().mean() + 0.01 * penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
