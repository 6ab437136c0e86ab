"""The critic's gradients are cleared by the wrong optimiser."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(64, 2)), batch_size=16, shuffle=True)
generator = nn.Sequential(nn.Linear(3, 8), nn.ReLU(), nn.Linear(8, 2))
critic = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer_g = torch.optim.RMSprop(generator.parameters(), lr=5e-5)
optimizer_d = torch.optim.RMSprop(critic.parameters(), lr=5e-5)
for _ in range(3):
    for (real,) in loader:
        fake = generator(torch.randn(len(real), 3))
        optimizer_g.zero_grad()
        loss = critic(fake.detach()).mean() - critic(real).mean()
        loss.backward()
        optimizer_d.step()  # loop/gradients
        optimizer_g.zero_grad()
        (-critic(generator(torch.randn(len(real), 3))).mean()).backward()
        optimizer_g.step()
