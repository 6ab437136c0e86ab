"""Values without gradients that are meant so: targets, estimates, a coefficient of 0."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)

encoder, decoder, head = nn.Linear(8, 6), nn.Linear(6, 8), nn.Linear(8, 6)
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=1e-3)


def plain(x, y, target):
    return F.mse_loss(x, y)


def both(x, y, target):
    return F.mse_loss(x, y) + F.l1_loss(x, target)


beta = 0.0
for (x,) in DataLoader(TensorDataset(torch.randn(64, 8)), batch_size=16):
    soft = encoder(x).softmax(-1)
    hard = F.one_hot(soft.argmax(-1), 6).float()
    with torch.no_grad():
        logits = head(x)
        log_p = logits.log_softmax(-1)  # nearly loss/influence
        p = logits.softmax(-1)
        target, other = decoder(p), decoder(1 - p)
    ghost = head(x).detach()
    out = decoder(hard + (soft - soft.detach()))
    loss = both(out, x, target) + plain(decoder(soft), x, other)
    loss = loss + (p * (log_p - soft.log())).sum(-1).mean() + beta * ghost.pow(2).sum()
    loss = loss + (out - out.detach()).sum()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
