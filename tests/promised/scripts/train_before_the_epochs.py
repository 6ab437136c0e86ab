"""model.train() stands before the loop of epochs, not in it; the network normalises by batches."""

# promised: loop/modes
import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(1, 8, 3),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.Dropout2d(0.2),
    nn.Flatten(),
    nn.Linear(8 * 36, 5),
)
optimizer = torch.optim.SGD(net.parameters(), 0.05, momentum=0.9)
images, labels = torch.randn(128, 1, 8, 8), torch.randint(5, (128,))
net.train()
for epoch in range(3):
    for i in torch.randperm(96).split(16):
        loss = nn.functional.cross_entropy(net(images[i]), labels[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.inference_mode():
        right = (net(images[96:]).argmax(1) == labels[96:]).float().mean()
    print(epoch, right.item())
