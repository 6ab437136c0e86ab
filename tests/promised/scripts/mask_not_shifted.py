"""The labels are shifted, the mask of the answers is not."""

# promised: loss/padding as a note
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

END = 1
torch.manual_seed(0)
model = nn.Sequential(nn.Embedding(40, 24), nn.Linear(24, 48), nn.GELU(), nn.Linear(48, 40))
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
texts = [torch.randint(2, 40, (n,)) for n in torch.randint(4, 12, (96,)).tolist()]
texts = [torch.cat([text, torch.tensor([END])]) for text in texts]
for _ in range(2):
    for i in range(0, 96, 8):
        x = pad_sequence(texts[i : i + 8], batch_first=True)
        mask = (x != 0).float()
        scores = model(x[:, :-1])
        losses = nn.functional.cross_entropy(scores.mT, x[:, 1:], reduction="none")
        loss = (losses * mask[:, :-1]).sum() / mask[:, :-1].sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
