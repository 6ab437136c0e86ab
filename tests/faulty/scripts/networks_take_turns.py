"""Trains an encoder and a decoder in turns, with one optimiser."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = TensorDataset(torch.randn(64, 6))
encoder = nn.Sequential(nn.Linear(6, 8), nn.Tanh())
decoder = nn.Linear(8, 6)
optimizer = torch.optim.AdamW([*encoder.parameters(), *decoder.parameters()], lr=1e-2)
turn = 0
for epoch in range(2):
    for (x,) in DataLoader(data, batch_size=16, shuffle=True):
        encoder.requires_grad_(turn % 2 == 0)
        decoder.requires_grad_(turn % 2 == 1)
        for parameter in [*encoder.parameters(), *decoder.parameters()]:
            if parameter.grad is not None:
                parameter.grad.zero_()
        loss = nn.functional.mse_loss(decoder(encoder(x)), x)
        loss.backward()
        optimizer.step()
        turn += 1
    print(f"epoch {epoch}: {loss.item():.3f}")
