"""The last token of each document is trained to predict the next one's first."""

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
        self.words, self.qkv, self.head = nn.Embedding(40, 32), nn.Linear(32, 96), nn.Linear(32, 40)

    def forward(self, x, documents):
        h = self.words(x)
        q, k, v = self.qkv(h).chunk(3, -1)
        mask = (documents[:, :, None] == documents[:, None]) & torch.ones(
            20, 20, dtype=torch.bool
        ).tril()
        return self.head(h + nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask))


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
for _ in range(2):
    for x in rows[torch.randperm(64)].split(8):
        documents = (x == EOS).cumsum(1) - (x == EOS).long()
        scores = model(x, documents)
        loss = nn.functional.cross_entropy(scores[:, :-1].flatten(0, 1), x[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
