"""A language model samples after each epoch, and is trained on without dropout."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class LM(nn.Module):
    def __init__(self, vocab=20, width=16):
        super().__init__()
        self.embed = nn.Embedding(vocab, width)
        self.rnn = nn.GRU(width, width, batch_first=True)
        self.drop = nn.Dropout(0.1)
        self.head = nn.Linear(width, vocab)

    def forward(self, ids):
        return self.head(self.drop(self.rnn(self.embed(ids))[0]))

    @torch.no_grad()
    def sample(self, ids, count):
        self.eval()  # loop/modes
        for _ in range(count):
            following = self(ids)[:, -1].softmax(-1).multinomial(1)
            ids = torch.cat([ids, following], 1)
        return ids


torch.manual_seed(0)
loader = DataLoader(TensorDataset(torch.randint(20, (64, 9))), batch_size=16, shuffle=True)
model = LM()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for _ in range(4):
    for (ids,) in loader:
        logits = model(ids[:, :-1])
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(model.sample(torch.zeros(1, 1, dtype=torch.long), 5))
