"""Two ranks: every other batch goes to the model itself, so its gradients are not averaged."""

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

distributed.init_process_group("gloo")
rank, world = distributed.get_rank(), distributed.get_world_size()
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
wrapped = DistributedDataParallel(model)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
data = TensorDataset(torch.randn(96, 8), torch.randint(3, (96,)))
sampler = DistributedSampler(data, world, rank)
for epoch in range(2):
    sampler.set_epoch(epoch)
    for number, (x, y) in enumerate(DataLoader(data, 16, sampler=sampler)):
        called = wrapped if number % 2 == 0 else model
        optimizer.zero_grad()
        nn.functional.cross_entropy(called(x), y).backward()
        optimizer.step()
