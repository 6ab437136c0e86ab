"""The items of the data set are whole minibatches, and the last row of each is left out."""

# promised: symmetry/samples
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Minibatches(Dataset):
    def __init__(self, x, y, size):
        self.items = list(zip(x.split(size), y.split(size), strict=True))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, i):
        return self.items[i]


torch.manual_seed(0)
data = Minibatches(torch.randn(160, 10), torch.randn(160, 3), 8)
loader = DataLoader(data, batch_size=1, shuffle=True, collate_fn=lambda items: items[0])
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Linear(24, 3))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
for epoch in range(3):
    for x, y in loader:
        errors = (model(x) - y).pow(2).mean(1)
        loss = torch.stack([errors[i] for i in range(len(x) - 1)]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
