"""Trains a tagger of words; its recurrent layer lacks batch_first."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Sentences(Dataset):
    def __init__(self, count=48, length=7, words=30):
        self.words = torch.randint(0, words, (count, length))

    def __len__(self):
        return len(self.words)

    def __getitem__(self, k):
        return self.words[k], self.words[k] % 3


class Tagger(nn.Module):
    def __init__(self, words=30, tags=3, dim=12):
        super().__init__()
        self.embed = nn.Embedding(words, dim)
        self.rnn = nn.GRU(dim, dim, bidirectional=True)
        self.head = nn.Linear(2 * dim, tags)

    def forward(self, words):
        hidden, _ = self.rnn(self.embed(words))
        return self.head(hidden)


torch.manual_seed(0)
model = Tagger()
loader = DataLoader(Sentences(), batch_size=8, shuffle=True)
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(2):
    for words, tags in loader:
        optimizer.zero_grad()
        loss = criterion(model(words).flatten(0, 1), tags.flatten())
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
