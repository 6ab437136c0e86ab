"""The checkpoint was saved from DataParallel: no name fits, and nothing is loaded."""

# promised: loop/loaded
import torch
from torch import nn

torch.manual_seed(0)


def network():
    return nn.Sequential(nn.Linear(8, 24), nn.ReLU(), nn.Linear(24, 3))


torch.save(
    {f"module.{name}": value for name, value in network().state_dict().items()}, "pretrained.pt"
)
model = network()
model.load_state_dict(torch.load("pretrained.pt"), strict=False)
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
x, y = torch.randn(128, 8), torch.randint(3, (128,))
for _ in range(2):
    for i in torch.randperm(128).split(16):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
