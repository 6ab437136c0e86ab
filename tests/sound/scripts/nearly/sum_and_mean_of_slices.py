"""An autoencoder of NumPy's slices: both parts of its loss are sums over each row, then means."""

import numpy as np
import torch
from torch import nn

torch.manual_seed(0)
random = np.random.default_rng(0)
images = random.random((200, 12), dtype=np.float32)
encoder, decoder = nn.Linear(12, 4), nn.Linear(4, 12)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], 1e-3)
for _ in range(3):
    order = random.permutation(len(images))
    for start in range(0, len(images), 20):
        x = torch.from_numpy(images[order[start : start + 20]])
        code = encoder(x).tanh()
        error = (decoder(code) - x).square().sum(1)
        loss = error.mean() + 0.1 * code.square().sum() / len(x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
