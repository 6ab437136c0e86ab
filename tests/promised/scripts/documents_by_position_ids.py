"""Positions begin anew with each document, and the model only uses them to embed."""

# promised: model/documents or loss/documents
import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(0)
texts = [torch.randint(2, 40, (n,)).tolist() for n in torch.randint(4, 9, (192,)).tolist()]


def pack(batch):
    ids, positions, labels = [], [], []
    for text in batch:
        ids += text
        positions += range(len(text))
        labels += [-100, *text[1:]]
    return {
        "input_ids": torch.tensor([ids]),
        "position_ids": torch.tensor([positions]),
        "labels": torch.tensor([labels]),
    }


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places, self.qkv, self.head = (
            nn.Embedding(40, 32),
            nn.Embedding(20, 32),
            nn.Linear(32, 96),
            nn.Linear(32, 40),
        )

    def forward(self, input_ids, position_ids):
        h = self.words(input_ids) + self.places(position_ids)
        q, k, v = self.qkv(h).chunk(3, -1)
        return self.head(h + nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True))


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
for _ in range(2):
    for batch in DataLoader(texts, 8, shuffle=True, collate_fn=pack):
        labels = batch.pop("labels")[:, 1:]
        loss = nn.functional.cross_entropy(model(**batch)[:, :-1].flatten(0, 1), labels.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
