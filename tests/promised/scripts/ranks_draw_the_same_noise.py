"""All ranks have the same seed, and draw the same noise for other samples."""

# promised: ranks/data or ranks/draws or ranks/weights as a note
# arguments: --ranks 2
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

dist.init_process_group("gloo")
torch.manual_seed(0)
model = DistributedDataParallel(nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 10)))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
data = TensorDataset(torch.randn(160, 10))
sampler = DistributedSampler(data)
for epoch in range(2):
    sampler.set_epoch(epoch)
    for (x,) in DataLoader(data, 16, sampler=sampler):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x + 0.3 * torch.randn_like(x)), x).backward()
        optimizer.step()
