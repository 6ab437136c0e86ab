"""Each rank has a seed of its own, and nothing makes the parameters equal."""

# promised: training/replicas or training/devices
# arguments: --ranks 2
import torch
import torch.distributed as dist
from torch import nn

dist.init_process_group("gloo")
rank, world = dist.get_rank(), dist.get_world_size()
torch.manual_seed(rank)
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
torch.manual_seed(0)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for epoch in range(2):
    for i in torch.randperm(160, generator=torch.Generator().manual_seed(epoch)).split(32):
        i = i[rank::world]
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[i]), y[i]).backward()
        for parameter in model.parameters():
            dist.all_reduce(parameter.grad)
            parameter.grad /= world
        optimizer.step()
