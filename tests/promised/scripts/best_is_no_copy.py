"""best = model.state_dict() is no copy."""

# promised: loop/copies
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
train = DataLoader(TensorDataset(torch.randn(160, 10), torch.randint(4, (160,))), 16, shuffle=True)
valid = DataLoader(TensorDataset(torch.randn(64, 10), torch.randint(4, (64,))), 32)
least, best = float("inf"), None
for _ in range(4):
    model.train()
    for x, y in train:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        loss = sum(nn.functional.cross_entropy(model(x), y).item() for x, y in valid)
    if loss < least:
        least, best = loss, model.state_dict()
model.load_state_dict(best)
torch.save(model.state_dict(), "best.pt")
