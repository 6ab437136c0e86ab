"""A GAN: its generator's backward reaches the critic as well, whose gradients are then cleared."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randn(96, 2)), batch_size=16, shuffle=True)
generator = nn.Sequential(nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
critic = nn.Sequential(nn.Linear(2, 16), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(16, 1))
optimizer_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
optimizer_d = torch.optim.Adam(critic.parameters(), lr=2e-4, betas=(0.5, 0.999))
fixed = torch.randn(16, 3)
for epoch in range(3):
    for i, (real,) in enumerate(loader):
        critic.zero_grad()
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        nn.functional.binary_cross_entropy_with_logits(critic(real), ones).backward()
        fake = generator(torch.randn(len(real), 3))
        nn.functional.binary_cross_entropy_with_logits(critic(fake.detach()), zeros).backward()
        optimizer_d.step()
        generator.zero_grad()  # nearly loop/gradients
        nn.functional.binary_cross_entropy_with_logits(critic(fake), ones).backward()
        optimizer_g.step()
        if i % 2 == 0:
            with torch.no_grad():
                sample = generator(fixed)
    print(epoch, sample.std().item())
