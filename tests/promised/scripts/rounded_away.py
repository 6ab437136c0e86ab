"""All parameters are bfloat16, and the rate is so small that most updates are rounded away."""

# promised: training/frozen or training/checkpoint or training/lost
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(16, 64), nn.GELU(), nn.Linear(64, 4)).to(torch.bfloat16)
optimizer = torch.optim.AdamW(model.parameters(), 1e-5)
x, y = torch.randn(160, 16, dtype=torch.bfloat16), torch.randint(4, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        loss = nn.functional.cross_entropy(model(x[i]).float(), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
