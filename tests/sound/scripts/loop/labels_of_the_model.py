"""The model labels other rows in training mode; it is trained with the labels that are right."""

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
x, y = torch.randn(120, 8), torch.randint(3, (120,))
known_x, known_y, other_x, other_y = x[:80], y[:80], x[80:], y[80:]
model = nn.Sequential(nn.Linear(8, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(6):
    for rows in torch.randperm(80).split(16):
        others = torch.randint(40, (16,))
        with torch.no_grad():
            labels = model(other_x[others]).argmax(1)
        right = (labels == other_y[others]).float()
        loss = F.cross_entropy(model(known_x[rows]), known_y[rows])
        again = F.cross_entropy(model(other_x[others]), labels, reduction="none")
        optimizer.zero_grad()
        (loss + (right * again).mean()).backward()
        optimizer.step()
