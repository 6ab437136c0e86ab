"""The body is unfrozen after an epoch; the optimiser was made before."""

# promised: loop/gradients
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
body, head = nn.Sequential(nn.Linear(10, 24), nn.ReLU()), nn.Linear(24, 4)
model = nn.Sequential(body, head)
body.requires_grad_(False)
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 1e-3)
loader = DataLoader(TensorDataset(torch.randn(160, 10), torch.randint(4, (160,))), 16, shuffle=True)
for epoch in range(4):
    if epoch == 1:
        body.requires_grad_(True)
    for x, y in loader:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()
