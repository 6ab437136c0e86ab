"""The weights of the decoder are others than its layers draw: it may be trained."""

# noted: training/unheld
import torch
from torch import nn

torch.manual_seed(0)
encoder = nn.Sequential(nn.Linear(16, 24), nn.ReLU(), nn.Linear(24, 8))
decoder = nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 16))
with torch.no_grad():
    for p in decoder.parameters():
        p.mul_(1.7)
optimizer = torch.optim.Adam(encoder.parameters(), 1e-3)
data = torch.randn(160, 16)
for _ in range(2):
    for x in data[torch.randperm(160)].split(16):
        loss = nn.functional.mse_loss(decoder(encoder(x)), x)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
