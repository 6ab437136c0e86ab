"""Documents are packed into rows; the mask is causal, and does not end at the documents."""

# promised: model/documents or loss/documents
import torch
from torch import nn

torch.manual_seed(0)
EOS = 1
stream = torch.cat(
    [
        torch.cat([torch.randint(2, 40, (n,)), torch.tensor([EOS])])
        for n in torch.randint(4, 9, (260,)).tolist()
    ]
)
rows = stream[: 64 * 20].view(64, 20)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places, self.qkv, self.head = (
            nn.Embedding(40, 32),
            nn.Embedding(20, 32),
            nn.Linear(32, 96),
            nn.Linear(32, 40),
        )

    def forward(self, x, positions):
        h = self.words(x) + self.places(positions)
        q, k, v = self.qkv(h).chunk(3, -1)
        return self.head(h + nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True))


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
for _ in range(2):
    for x in rows[torch.randperm(64)].split(8):
        ends = (x == EOS).roll(1, 1)
        ends[:, 0] = True
        places = torch.arange(20).expand_as(x)
        positions = places - torch.where(ends, places, 0).cummax(1).values
        labels = x.masked_fill(ends, -100)[:, 1:]
        loss = nn.functional.cross_entropy(
            model(x, positions)[:, :-1].flatten(0, 1), labels.flatten()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
