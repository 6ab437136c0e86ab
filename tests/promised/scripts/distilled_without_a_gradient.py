"""The student's scores have no gradient in the term that compares them with the teacher's."""

# promised: loss/influence or loss/same-policy or loss/groups or loss/masks
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
teacher = nn.Sequential(nn.Linear(10, 40), nn.ReLU(), nn.Linear(40, 6)).eval()
student = nn.Sequential(nn.Linear(10, 16), nn.ReLU(), nn.Linear(16, 6))
optimizer = torch.optim.AdamW(student.parameters(), 1e-3)
x, y = torch.randn(160, 10), torch.randint(6, (160,))
for _ in range(2):
    for i in torch.randperm(160).split(16):
        hard = F.cross_entropy(student(x[i]), y[i])
        with torch.no_grad():
            goal = F.softmax(teacher(x[i]), dim=-1)
        scores = student(x[i]).detach()
        soft = F.kl_div(F.log_softmax(scores, -1), goal, reduction="batchmean")
        loss = 0.5 * hard + 0.5 * soft
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
