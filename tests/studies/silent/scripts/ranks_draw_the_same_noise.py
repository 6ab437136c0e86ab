"""Two ranks: both have one seed, and so draw the same noise for their samples."""

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

distributed.init_process_group("gloo")
rank, world = distributed.get_rank(), distributed.get_world_size()
torch.manual_seed(0)
model = DistributedDataParallel(nn.Sequential(nn.Linear(9, 16), nn.SiLU(), nn.Linear(16, 8)))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
data = TensorDataset(torch.randn(96, 8))
sampler = DistributedSampler(data, world, rank)
torch.manual_seed(42)
for epoch in range(2):
    sampler.set_epoch(epoch)
    for (x,) in DataLoader(data, 16, sampler=sampler):
        noise, time = torch.randn_like(x), torch.rand(len(x), 1)
        mixed = torch.cat((time * noise + (1 - time) * x, time), 1)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(mixed), noise - x).backward()
        optimizer.step()
