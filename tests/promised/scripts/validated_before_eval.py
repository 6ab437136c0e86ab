"""A helper sets the mode by a flag, and the validation forgets the flag."""

# promised: loop/evaluation
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm, self.body, self.head = nn.BatchNorm1d(12), nn.Linear(12, 24), nn.Linear(24, 1)
        self.drop = nn.Dropout(0.25)

    def forward(self, x):
        return self.head(self.drop(torch.relu(self.body(self.norm(x))))).squeeze(1)


def run(model, loader, optimizer=None, train=True):
    model.train(train)
    total = 0.0
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            loss = nn.functional.mse_loss(model(x), y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            total += loss.item()
    return total / len(loader)


torch.manual_seed(0)
model = Net()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
train = DataLoader(TensorDataset(torch.randn(160, 12), torch.randn(160)), 16, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(64, 12), torch.randn(64)), 16)
for epoch in range(3):
    print(epoch, run(model, train, optimizer), run(model, valid))
