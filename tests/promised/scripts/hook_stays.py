"""Each evaluation registers a hook that scales the features, and none removes it."""

# promised: loop/observing or loop/turns or loop/schedule
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
train = DataLoader(TensorDataset(torch.randn(160, 10), torch.randint(3, (160,))), 16, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(64, 10), torch.randint(3, (64,))), 16)


@torch.no_grad()
def evaluate():
    model.eval()
    model[1].register_forward_hook(lambda module, given, made: 0.5 * made)
    right = sum((model(x).argmax(1) == y).sum().item() for x, y in valid)
    model.train()
    return right


for epoch in range(3):
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    print(epoch, evaluate())
