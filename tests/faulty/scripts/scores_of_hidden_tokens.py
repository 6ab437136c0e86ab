"""Classifies texts by the mean of all tokens, those that the attention mask hides as well."""

import torch
from torch import nn
from torch.utils.data import DataLoader

PAD, WORDS, WIDTH = 0, 30, 16

torch.manual_seed(0)
data = []
for n in torch.randint(3, 10, (96,)).tolist():
    ids = torch.cat((torch.randint(1, WORDS, (n,)), torch.full((10 - n,), PAD)))
    mask = (torch.arange(10) < n).long()
    data.append({"input_ids": ids, "attention_mask": mask, "label": int(ids.sum()) % 3})


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(WORDS, WIDTH)
        self.layer = nn.TransformerEncoderLayer(WIDTH, 2, 32, 0.0, batch_first=True)
        self.head = nn.Linear(WIDTH, 3)

    def forward(self, input_ids, attention_mask):
        found = self.layer(self.embed(input_ids), src_key_padding_mask=attention_mask == 0)
        return self.head(found.mean(1))


model = Classifier()
optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
for epoch in range(2):
    for batch in DataLoader(data, 16, shuffle=True):
        scores = model(batch["input_ids"], batch["attention_mask"])
        loss = nn.functional.cross_entropy(scores, batch["label"])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
