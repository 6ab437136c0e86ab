"""forward() is called directly in the training, and the evaluation ends with train()."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.drop, self.head = nn.Linear(6, 12), nn.Dropout(0.2), nn.Linear(12, 3)

    def forward(self, x, targets=None):
        scores = self.head(self.drop(torch.relu(self.body(x))))
        return scores if targets is None else nn.functional.cross_entropy(scores, targets)


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
x, y = torch.randn(128, 6), torch.randint(3, (128,))
for _ in range(3):
    for i in torch.randperm(96).split(16):
        loss = model.forward(x[i], targets=y[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    print(model.forward(x[96:]).argmax(1).eq(y[96:]).float().mean())
    model.train()
