"""More rows are trained on, without dropout."""

# noted: loop/eval-mode
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 24), nn.ReLU(), nn.Dropout(0.2), nn.Linear(24, 3))
optimizer = torch.optim.SGD(model.parameters(), 0.1)
train = DataLoader(TensorDataset(torch.randn(160, 10), torch.randint(3, (160,))), 8, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(64, 10), torch.randint(3, (64,))), 8, shuffle=True)
for _ in range(3):
    for mode, loader in (("train", train), ("valid", valid)):
        model.train(mode == "train")
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
