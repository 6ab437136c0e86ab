"""The model behind the wrapper is called, so that no gradient is reduced."""

# promised: training/replicas or training/devices
# arguments: --ranks 2
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
torch.manual_seed(0)
model = DistributedDataParallel(nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 1)))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
x, y = torch.randn(160, 10), torch.randn(160, 1)
for epoch in range(2):
    for i in torch.randperm(160, generator=torch.Generator().manual_seed(epoch)).split(32):
        i = i[rank::world]
        loss = nn.functional.mse_loss(model.module(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
