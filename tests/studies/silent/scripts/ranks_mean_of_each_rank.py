"""Two ranks: each takes the mean over its own tokens, and their gradients are averaged."""

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

distributed.init_process_group("gloo")
rank, world = distributed.get_rank(), distributed.get_world_size()
torch.manual_seed(0)
model = DistributedDataParallel(nn.Sequential(nn.Embedding(30, 12), nn.Linear(12, 5)))
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
words = torch.randint(30, (96, 10))
tags = (words % 5).masked_fill(torch.arange(10) > torch.randint(1, 10, (96, 1)), -100)
data = TensorDataset(words, tags)
sampler = DistributedSampler(data, world, rank)
for epoch in range(2):
    sampler.set_epoch(epoch)
    for x, y in DataLoader(data, 8, sampler=sampler):
        optimizer.zero_grad()
        shown = (y != -100).sum()
        distributed.all_reduce(shown)
        losses = nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum")
        loss = losses / (y != -100).sum()
        loss.backward()
        optimizer.step()
