"""An image classifier in float16, with scaled gradients."""

import torch
from torch import nn

torch.manual_seed(0)
device = "cuda"
model = nn.Sequential(
    nn.Conv2d(1, 8, 3, padding=1),
    nn.BatchNorm2d(8),
    nn.ReLU(),
    nn.Conv2d(8, 16, 3, stride=2),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(16 * 9, 10),
).to(device)
optimizer = torch.optim.SGD(model.parameters(), 0.05, momentum=0.9)
scaler = torch.amp.GradScaler("cuda")
images, labels = torch.randn(256, 1, 8, 8), torch.randint(10, (256,))
for _epoch in range(3):
    for x, y in zip(images.split(16), labels.split(16), strict=False):
        x, y = x.to(device), y.to(device)
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
