"""A variational autoencoder, all of whose parts are sums over the batch, divided at the end."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(0)


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(20, 16)
        self.mean, self.log = nn.Linear(16, 3), nn.Linear(16, 3)
        self.decoder = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 20))

    def forward(self, x):
        hidden = torch.tanh(self.encoder(x))
        mean, log = self.mean(hidden), self.log(hidden)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log)
        return torch.sigmoid(self.decoder(latent)), mean, log


model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(2):
    for x in DataLoader(torch.rand(96, 20), batch_size=12, shuffle=True):
        output, mean, log = model(x)
        error = F.binary_cross_entropy(output, x, reduction="sum")
        divergence = -0.5 * torch.sum(1 + log - mean.pow(2) - log.exp())
        loss = (error + divergence) / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
