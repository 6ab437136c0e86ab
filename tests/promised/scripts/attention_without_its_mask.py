"""The batch has an attention mask, which the model takes and does not use."""

# promised: training/padding
import torch
from torch import nn

torch.manual_seed(0)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.attention, self.head = (
            nn.Embedding(50, 32),
            nn.MultiheadAttention(32, 4, batch_first=True),
            nn.Linear(32, 3),
        )

    def forward(self, input_ids, attention_mask):
        h = self.words(input_ids)
        h = h + self.attention(h, h, h)[0]
        mask = attention_mask[..., None].float()
        return self.head((h * mask).sum(1) / mask.sum(1))


model = Classifier()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
lengths = torch.randint(4, 13, (128,))
mask = (torch.arange(12) < lengths[:, None]).long()
ids = torch.randint(1, 50, (128, 12)) * mask
kinds = torch.randint(3, (128,))
for _ in range(2):
    for i in torch.randperm(128).split(16):
        loss = nn.functional.cross_entropy(
            model(input_ids=ids[i], attention_mask=mask[i]), kinds[i]
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
