"""The test at the end normalises the images, and forgets evaluation mode."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
x, y = torch.rand(96, 1, 8, 8) * 255, torch.randint(4, (96,))
train_loader = DataLoader(TensorDataset(x[:64], y[:64]), batch_size=16, shuffle=True)
test_loader = DataLoader(TensorDataset(x[64:], y[64:]), batch_size=16)
model = nn.Sequential(
    nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 36, 4)
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(3):
    for images, labels in train_loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images / 255), labels).backward()
        optimizer.step()
correct = 0
for images, labels in test_loader:
    with torch.no_grad():
        output = model(images / 255)  # loop/evaluation
    correct += (output.argmax(1) == labels).sum().item()
print(correct / len(test_loader.dataset))
