"""The second schedule is made for the optimiser of the first, by copy and paste."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.optim.lr_scheduler import ExponentialLR

torch.manual_seed(0)

encoder, decoder = nn.Linear(8, 16), nn.Linear(16, 8)
first = torch.optim.SGD(encoder.parameters(), lr=0.1)
second = torch.optim.SGD(decoder.parameters(), lr=0.1)
schedules = ExponentialLR(first, 0.9), ExponentialLR(first, 0.9)
for _ in range(6):
    x = torch.randn(16, 8)
    loss = F.mse_loss(decoder(encoder(x).tanh()), x)
    first.zero_grad()
    second.zero_grad()
    loss.backward()
    first.step()
    second.step()  # loop/schedule
    for schedule in schedules:
        schedule.step()
