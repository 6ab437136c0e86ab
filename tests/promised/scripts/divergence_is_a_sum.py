"""A variational autoencoder: its reconstruction is a mean over the batch, its divergence a sum."""

# promised: loss/scaling as a note
import torch
import torch.nn.functional as F
from torch import nn


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc, self.mu, self.logvar = nn.Linear(20, 32), nn.Linear(32, 4), nn.Linear(32, 4)
        self.dec = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 20))

    def forward(self, x):
        h = F.relu(self.enc(x))
        mu, logvar = self.mu(h), self.logvar(h)
        return self.dec(mu + torch.randn_like(mu) * (0.5 * logvar).exp()), mu, logvar


torch.manual_seed(0)
model = VAE()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
data = torch.rand(160, 20)
for _ in range(2):
    for x in data[torch.randperm(160)].split(16):
        out, mu, logvar = model(x)
        kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum()
        loss = F.mse_loss(out, x) + 0.01 * kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
