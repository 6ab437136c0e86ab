"""The model ends with a softmax, and the loss takes logits."""

# promised: loss/inputs
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(12, 32), nn.ReLU(), nn.Linear(32, 5), nn.Softmax(dim=1))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
data = TensorDataset(torch.randn(160, 12), torch.randint(5, (160,)))
for _ in range(2):
    for x, y in DataLoader(data, 16, shuffle=True):
        optimizer.zero_grad()
        loss = nn.CrossEntropyLoss()(model(x), y)
        loss.backward()
        optimizer.step()
