"""The next words are padded with 0, and the loss counts the padding."""

# promised: loss/padding as a note
import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

torch.manual_seed(0)
texts = [torch.randint(1, 50, (n,)) for n in torch.randint(5, 14, (96,)).tolist()]


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.words = nn.Embedding(50, 24, padding_idx=0)
        self.rnn, self.head = nn.LSTM(24, 32, batch_first=True), nn.Linear(32, 50)

    def forward(self, x):
        return self.head(self.rnn(self.words(x))[0])


model, criterion = Model(), nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), 1e-3)
for _ in range(2):
    for i in range(0, 96, 8):
        rows = pad_sequence(texts[i : i + 8], batch_first=True)
        scores = model(rows[:, :-1])
        loss = criterion(scores.reshape(-1, 50), rows[:, 1:].reshape(-1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
