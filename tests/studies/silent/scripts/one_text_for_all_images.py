"""The texts of a batch become one row, which is broadcast to all of its images."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Reader(nn.Module):
    """Classifies an image with its text."""

    def __init__(self):
        super().__init__()
        self.see = nn.Linear(8, 16)
        self.read = nn.Embedding(30, 16)
        self.head = nn.Linear(16, 3)

    def forward(self, images, words):
        return self.head(torch.relu(self.see(images) + self.read(words).mean(1)))


def collated(rows):
    images, texts, labels = zip(*rows, strict=True)
    return torch.stack(images), torch.stack(texts[:1]), torch.stack(labels)


torch.manual_seed(0)
data = TensorDataset(torch.randn(96, 8), torch.randint(30, (96, 5)), torch.randint(3, (96,)))
model = Reader()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for _ in range(2):
    for images, words, labels in DataLoader(data, 16, shuffle=True, collate_fn=collated):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(images, words), labels)
        loss.backward()
        optimizer.step()
