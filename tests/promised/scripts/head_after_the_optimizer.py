"""The new head is put in after the optimiser was made."""

# promised: training/moves or loop/gradients
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.body, self.fc = nn.Linear(10, 24), nn.Linear(24, classes)

    def forward(self, x):
        return self.fc(torch.relu(self.body(x)))


torch.manual_seed(0)
model = Net(1000)
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
model.fc = nn.Linear(24, 3)
x, y = torch.randn(160, 10), torch.randint(3, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        loss = nn.functional.cross_entropy(model(x[i]), y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
