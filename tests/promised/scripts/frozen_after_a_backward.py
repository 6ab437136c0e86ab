"""The body is frozen after a first update: its momentum and its decay go on."""

# promised: training/frozen or training/checkpoint or training/lost
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9, weight_decay=1e-2)
loader = DataLoader(TensorDataset(torch.randn(160, 10), torch.randint(3, (160,))), 16, shuffle=True)
nn.functional.cross_entropy(model(torch.randn(16, 10)), torch.randint(3, (16,))).backward()
optimizer.step()
for parameter in model[0].parameters():
    parameter.requires_grad = False
for _ in range(2):
    for x, y in loader:
        optimizer.zero_grad(set_to_none=False)
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
