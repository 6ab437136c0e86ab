"""A recurrent language model is trained to repeat its input: the labels are not shifted."""

# promised: loss/next-token
import torch
from torch import nn


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.rnn, self.head = (
            nn.Embedding(30, 24),
            nn.GRU(24, 32, batch_first=True),
            nn.Linear(32, 30),
        )

    def forward(self, x):
        return self.head(self.rnn(self.words(x))[0])


torch.manual_seed(0)
model = Model()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
text = torch.randint(30, (2000,))
for _step in range(10):
    at = torch.randint(len(text) - 20, (16,))
    x = torch.stack([text[i : i + 20] for i in at.tolist()])
    loss = nn.functional.cross_entropy(model(x).transpose(1, 2), x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
