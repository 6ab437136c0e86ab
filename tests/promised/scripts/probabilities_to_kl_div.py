"""A student is distilled: kl_div wants log-probabilities as its first argument."""

# promised: loss/inputs
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
teacher = nn.Sequential(nn.Linear(10, 40), nn.ReLU(), nn.Linear(40, 6)).eval()
student = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 6))
optimizer = torch.optim.AdamW(student.parameters(), 1e-3)
data = torch.randn(160, 10)
for _ in range(2):
    for x in data[torch.randperm(160)].split(16):
        with torch.no_grad():
            goal = F.softmax(teacher(x) / 2, dim=-1)
        loss = F.kl_div(F.softmax(student(x) / 2, dim=-1), goal, reduction="batchmean")
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
