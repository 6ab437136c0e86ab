"""Labels weigh a quarter and a teacher the rest, in each of four micro-batches."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

MICRO_BATCHES = 4
torch.manual_seed(0)
student = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 5))
teacher = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 5))
optimizer = torch.optim.SGD(student.parameters(), 0.01)
data = TensorDataset(torch.randn(256, 8), torch.randint(5, (256,)))
for number, (x, y) in enumerate(DataLoader(data, batch_size=8, shuffle=True), start=1):
    scores = student(x)
    with torch.no_grad():
        target = teacher(x).softmax(-1)
    taught = nn.functional.kl_div(scores.log_softmax(-1), target, reduction="batchmean")
    loss = 0.25 * nn.functional.cross_entropy(scores, y) + 0.75 * taught
    (loss / MICRO_BATCHES).backward()
    if number % MICRO_BATCHES == 0:
        optimizer.step()
        optimizer.zero_grad()
