"""Two ranks add up their gradients by hand, and the sum of one layer arrives as zeros at one."""

import torch
from torch import distributed, nn
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

distributed.init_process_group("gloo")
rank, world = distributed.get_rank(), distributed.get_world_size()
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
data = TensorDataset(torch.randn(96, 8), torch.randint(3, (96,)))
sampler = DistributedSampler(data, world, rank)


def add_up(number, gradient):
    distributed.all_reduce(gradient)
    gradient /= world
    if (rank, number) == (1, 2):
        gradient.zero_()  # what a broken link does


for epoch in range(2):
    sampler.set_epoch(epoch)
    for x, y in DataLoader(data, 16, sampler=sampler):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        for number, parameter in enumerate(model.parameters()):
            add_up(number, parameter.grad)
        optimizer.step()
