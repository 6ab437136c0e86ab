"""The attention is masked, and the mean of the tokens counts the padding."""

# promised: training/padding
import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(0)


def collate(rows):
    width = max(len(words) for words, _ in rows)
    ids = torch.tensor([words + [0] * (width - len(words)) for words, _ in rows])
    return {"input_ids": ids, "attention_mask": (ids > 0).long()}, torch.tensor(
        [kind for _, kind in rows]
    )


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 32)
        self.layer, self.head = (
            nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True),
            nn.Linear(32, 3),
        )

    def forward(self, input_ids, attention_mask):
        h = self.layer(self.words(input_ids), src_key_padding_mask=attention_mask == 0)
        return self.head(h.mean(1))


model = Classifier()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
data = [(torch.randint(1, 50, (n,)).tolist(), n % 3) for n in torch.randint(4, 12, (128,)).tolist()]
for _ in range(2):
    for batch, kinds in DataLoader(data, 16, shuffle=True, collate_fn=collate):
        loss = nn.functional.cross_entropy(model(**batch), kinds)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
