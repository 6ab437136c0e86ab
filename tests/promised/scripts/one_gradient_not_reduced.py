"""The gradients of the head are not reduced: it is no part of the wrapped model."""

# promised: training/replicas or training/devices
# arguments: --ranks 2
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

dist.init_process_group("gloo")
torch.manual_seed(0)
body, head = nn.Sequential(nn.Linear(10, 24), nn.ReLU()), nn.Linear(24, 3)
body = DistributedDataParallel(body)
optimizer = torch.optim.AdamW([*body.parameters(), *head.parameters()], 1e-3)
data = TensorDataset(torch.randn(160, 10), torch.randint(3, (160,)))
sampler = DistributedSampler(data)
for epoch in range(2):
    sampler.set_epoch(epoch)
    for x, y in DataLoader(data, 16, sampler=sampler):
        optimizer.zero_grad()
        nn.functional.cross_entropy(head(body(x)), y).backward()
        optimizer.step()
