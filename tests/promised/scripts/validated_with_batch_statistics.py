"""BatchNorm learns from the validation images."""

# promised: loop/evaluation as a note
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(3, 8, 3),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(8, 3),
)
optimizer = torch.optim.SGD(net.parameters(), 0.1)
images, labels = torch.randn(160, 3, 8, 8), torch.randint(3, (160,))
for epoch in range(3):
    for i in torch.randperm(128).split(16):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(images[i]), labels[i]).backward()
        optimizer.step()
    with torch.no_grad():
        right = (net(images[128:]).argmax(1) == labels[128:]).float().mean().item()
    print(epoch, right)
