"""An accuracy is a mean of the accuracies of batches, and the last batch is small."""

# promised: loop/metrics

import torch
import torch.nn as nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
inputs = torch.randn(103, 10)
targets = (inputs[:, 0] > 0).long()
train = DataLoader(TensorDataset(inputs[:64], targets[:64]), batch_size=16, shuffle=True)
valid = DataLoader(TensorDataset(inputs[64:], targets[64:]), batch_size=12)
net = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 2))
opt = torch.optim.Adam(net.parameters(), lr=1e-3)
loss_fn = nn.CrossEntropyLoss()

for epoch in range(3):
    net.train()
    for x, y in train:
        opt.zero_grad()
        loss = loss_fn(net(x), y)
        loss.backward()
        opt.step()
    net.eval()
    accuracy, val_loss = 0.0, 0.0
    with torch.no_grad():
        for x, y in valid:
            out = net(x)
            val_loss += loss_fn(out, y).item()
            accuracy += (out.argmax(1) == y).float().mean().item()
    print(f"epoch {epoch}: loss {val_loss / len(valid):.4f}, accuracy {accuracy / len(valid):.3f}")
