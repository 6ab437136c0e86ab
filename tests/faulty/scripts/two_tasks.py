"""Two heads on one network: classes by a mean, numbers by a sum."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class TwoHeads(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 16), nn.ReLU())
        self.classes, self.numbers = nn.Linear(16, 3), nn.Linear(16, 2)

    def forward(self, x):
        hidden = self.body(x)
        return self.classes(hidden), self.numbers(hidden)


x = torch.randn(80, 6)
data = TensorDataset(x, (x[:, 0] > 0).long(), x[:, :2] ** 2)
model = TwoHeads()
classify, measure = nn.CrossEntropyLoss(), nn.MSELoss(reduction="sum")
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9)
for epoch in range(3):
    for features, label, target in DataLoader(data, batch_size=8, shuffle=True):
        logits, numbers = model(features)
        loss = classify(logits, label) + measure(numbers, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
