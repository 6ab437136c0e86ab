"""A generator of its own draws the same samples after each epoch, and the training goes on."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(64, 4)), 16, shuffle=True)
encoder, decoder = nn.Linear(4, 4), nn.Linear(2, 4)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()])
for epoch in range(3):
    for (x,) in loader:
        mean, logvar = encoder(x).chunk(2, 1)
        z = mean + (logvar / 2).exp() * torch.randn_like(mean)
        kl = (mean**2 + logvar.exp() - logvar - 1).sum(1).mean() / 2
        optimizer.zero_grad()
        (nn.functional.mse_loss(decoder(z), x) + kl).backward()
        optimizer.step()
    with torch.no_grad(), torch.random.fork_rng():
        torch.manual_seed(7)  # nearly loop/batches
        print(epoch, decoder(torch.randn(4, 2)).mean().item())
