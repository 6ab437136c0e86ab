"""A variational autoencoder of slices: one part of its loss is a sum, the other one a mean."""

import torch
from torch import nn
from torch.nn import functional as F

torch.manual_seed(0)
images = torch.rand(200, 12)
encoder, decoder = nn.Linear(12, 8), nn.Linear(4, 12)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3)
for _ in range(3):
    order = torch.randperm(len(images))
    for start in range(0, len(images), 20):
        x = images[order[start : start + 20]]
        mean, log_variance = encoder(x).chunk(2, dim=1)
        error = F.binary_cross_entropy_with_logits(decoder(mean), x, size_average=False)
        loss = error - 0.5 * torch.mean(1 + log_variance - mean**2 - log_variance.exp())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
