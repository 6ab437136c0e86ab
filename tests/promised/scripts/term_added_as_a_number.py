"""The divergence of a variational autoencoder is added to its loss as a number."""

# promised: training/moves or loop/gradients
import torch
from torch import nn
from torch.nn import functional as F


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc, self.mean, self.log = nn.Linear(12, 16), nn.Linear(16, 4), nn.Linear(16, 4)
        self.dec = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 12))

    def forward(self, x):
        h = self.enc(x).relu()
        mean, log = self.mean(h), self.log(h)
        return self.dec(mean + torch.randn_like(mean) * (log / 2).exp()), mean, log


def divergence(mean, log):
    return -0.5 * (1 + log - mean**2 - log.exp()).sum(1).mean()


torch.manual_seed(0)
model = Autoencoder()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
data = torch.randn(128, 12)
for _ in range(2):
    for i in torch.randperm(128).split(16):
        made, mean, log = model(data[i])
        terms = {"made": F.mse_loss(made, data[i]), "divergence": divergence(mean, log).item()}
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
