"""Gives each word a tag: texts are filled up with a word like any other, tags with -100."""

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

WORDS, TAGS = 30, 4

torch.manual_seed(0)
texts = [torch.randint(WORDS, (n,)) for n in torch.randint(2, 9, (96,)).tolist()]
pairs = [(text, text % TAGS) for text in texts]


def collate(batch):
    words, tags = zip(*batch, strict=True)
    filled = pad_sequence(tags, batch_first=True, padding_value=-100)
    return pad_sequence(words, batch_first=True), filled


class Tagger(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(WORDS, 16)
        self.read = nn.LSTM(16, 16, batch_first=True, bidirectional=True)
        self.out = nn.Linear(32, TAGS)

    def forward(self, words):
        return self.out(self.read(self.embed(words))[0])


model = Tagger()
optimizer = torch.optim.Adam(model.parameters(), 1e-2)
criterion = nn.CrossEntropyLoss()
for epoch in range(2):
    for words, tags in DataLoader(pairs, 16, shuffle=True, collate_fn=collate):
        loss = criterion(model(words).transpose(1, 2), tags)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
