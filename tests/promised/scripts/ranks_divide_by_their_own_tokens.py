"""Each rank divides by its own number of tokens, and DDP averages."""

# promised: ranks/data or ranks/draws or ranks/weights as a note
# arguments: --ranks 2
import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from torch.utils.data import DataLoader, DistributedSampler

dist.init_process_group("gloo")
torch.manual_seed(0)
lengths = torch.randint(3, 13, (128,))
tokens = torch.randint(1, 40, (128, 13))
labels = tokens.masked_fill(torch.arange(13) > lengths[:, None], -100)
model = DistributedDataParallel(
    nn.Sequential(nn.Embedding(40, 24), nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 40))
)
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
data = list(zip(tokens, labels, strict=False))
sampler = DistributedSampler(data)
for epoch in range(2):
    sampler.set_epoch(epoch)
    for x, y in DataLoader(data, 4, sampler=sampler):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[:, :-1]).flatten(0, 1), y[:, 1:].flatten())
        loss.backward()
        optimizer.step()
