"""key_padding_mask is True where a key is left out; this one is True at the words."""

# promised: training/padding
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

torch.manual_seed(0)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 32, padding_idx=0)
        self.layer, self.head = (
            nn.TransformerEncoderLayer(32, 4, 64, dropout=0.0, batch_first=True),
            nn.Linear(32, 3),
        )

    def forward(self, x):
        h = self.layer(self.words(x), src_key_padding_mask=(x != 0))
        return self.head(h[:, 0])


model = Classifier()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
texts = [torch.randint(1, 50, (n,)) for n in torch.randint(4, 12, (128,)).tolist()]
kinds = torch.randint(3, (128,))
rows = pad_sequence([*texts, torch.ones(13, dtype=torch.long)], batch_first=True)[:128]
for _ in range(2):
    for i in torch.randperm(128).split(16):
        loss = nn.functional.cross_entropy(model(rows[i]), kinds[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
