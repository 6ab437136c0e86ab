"""The batch is drawn once, outside of the accumulation."""

# promised: loop/batches or loop/workers
import torch
from torch import nn

torch.manual_seed(0)
text = torch.randint(40, (4000,))
model = nn.Sequential(nn.Embedding(40, 24), nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 40))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)


def get_batch():
    at = torch.randint(len(text) - 17, (8,)).tolist()
    return torch.stack([text[i : i + 16] for i in at]), torch.stack(
        [text[i + 1 : i + 17] for i in at]
    )


for _step in range(8):
    x, y = get_batch()
    for _micro in range(4):
        loss = nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten()) / 4
        loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
