"""The labels are a copy of the padded input; they are not -100 at the padding."""

# promised: loss/padding
import torch
from torch import nn
from torch.utils.data import DataLoader

PAD = 0


def collate(texts):
    width = max(len(text) for text in texts)
    ids = torch.tensor([text + [PAD] * (width - len(text)) for text in texts])
    return {"input_ids": ids, "attention_mask": (ids != PAD).long(), "labels": ids.clone()}


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(60, 32), nn.Embedding(20, 32)
        self.attention, self.head = (
            nn.MultiheadAttention(32, 4, batch_first=True),
            nn.Linear(32, 60),
        )

    def forward(self, input_ids, attention_mask, labels):
        n = input_ids.shape[1]
        h = self.words(input_ids) + self.places(torch.arange(n))
        later = torch.ones(n, n, dtype=torch.bool).triu(1)
        h = h + self.attention(h, h, h, attn_mask=later, key_padding_mask=attention_mask == 0)[0]
        logits = self.head(h)[:, :-1]
        return nn.functional.cross_entropy(
            logits.flatten(0, 1), labels[:, 1:].flatten(), ignore_index=-100
        )


torch.manual_seed(0)
texts = [torch.randint(1, 60, (n,)).tolist() for n in torch.randint(6, 16, (96,)).tolist()]
model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
for _ in range(2):
    for batch in DataLoader(texts, 8, shuffle=True, collate_fn=collate):
        loss = model(**batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
