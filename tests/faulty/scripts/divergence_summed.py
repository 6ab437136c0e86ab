"""A variational autoencoder whose divergence is a sum over the batch, and its error a mean."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Linear(20, 16)
        self.mean, self.log = nn.Linear(16, 3), nn.Linear(16, 3)
        self.decoder = nn.Sequential(nn.Linear(3, 16), nn.ReLU(), nn.Linear(16, 20))

    def forward(self, x):
        hidden = torch.relu(self.encoder(x))
        mean, log = self.mean(hidden), self.log(hidden)
        latent = mean + torch.randn_like(mean) * torch.exp(0.5 * log)
        return self.decoder(latent), mean, log


def loss_function(output, x, mean, log):
    error = F.mse_loss(output, x)
    divergence = -0.5 * torch.sum(1 + log - mean.pow(2) - log.exp())
    return error + divergence


torch.manual_seed(0)
model = VAE()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(2):
    for x in DataLoader(torch.rand(96, 20), batch_size=12, shuffle=True):
        output, mean, log = model(x)
        loss = loss_function(output, x, mean, log)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
