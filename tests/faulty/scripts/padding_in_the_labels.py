"""A language model as people fine-tune it: the labels are the tokens, those of padding as well."""

import torch
from torch import nn
from torch.utils.data import DataLoader

END, WORDS, WIDTH = 0, 30, 16

torch.manual_seed(0)
lengths = torch.randint(3, 10, (96,)).tolist()
data = []
for n in lengths:
    ids = torch.cat((torch.randint(1, WORDS, (n,)), torch.full((10 - n,), END)))
    data.append({"input_ids": ids, "attention_mask": (torch.arange(10) < n).long()})


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed, self.places = nn.Embedding(WORDS, WIDTH), nn.Embedding(10, WIDTH)
        self.layer = nn.TransformerEncoderLayer(WIDTH, 2, 32, 0.0, batch_first=True)
        self.head = nn.Linear(WIDTH, WORDS)

    def forward(self, input_ids, attention_mask, labels):
        length = input_ids.shape[1]
        ahead = torch.ones(length, length, dtype=torch.bool).triu(1)
        x = self.embed(input_ids) + self.places(torch.arange(length))
        x = self.layer(x, src_mask=ahead, src_key_padding_mask=attention_mask == 0)
        scores = self.head(x)[:, :-1]
        return nn.functional.cross_entropy(scores.flatten(0, 1), labels[:, 1:].flatten())


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
for epoch in range(2):
    for batch in DataLoader(data, 16, shuffle=True):
        loss = model(**batch, labels=batch["input_ids"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
