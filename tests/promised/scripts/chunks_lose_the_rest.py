"""The batch is cut into chunks of five, and the rest of it is lost."""

# promised: symmetry/samples
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
data = TensorDataset(torch.randn(160, 10), torch.randint(3, (160,)))
for _ in range(2):
    for x, y in DataLoader(data, 16, shuffle=True):
        scores = net(x)
        parts = [
            nn.functional.cross_entropy(scores[k : k + 5], y[k : k + 5])
            for k in range(0, len(x) - 4, 5)
        ]
        loss = torch.stack(parts).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
