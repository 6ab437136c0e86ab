"""All but the head is to be frozen, by name."""

# promised: loop/attributes
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.rnn, self.head = (
            nn.Embedding(30, 16),
            nn.GRU(16, 24, batch_first=True),
            nn.Linear(24, 3),
        )

    def forward(self, x):
        return self.head(self.rnn(self.words(x))[0][:, -1])


torch.manual_seed(0)
net = Net()
for name, parameter in net.named_parameters():
    if not name.startswith("head"):
        parameter.require_grad = False
optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
data = TensorDataset(torch.randint(30, (128, 8)), torch.randint(3, (128,)))
for _ in range(2):
    for x, y in DataLoader(data, 16, shuffle=True):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()
