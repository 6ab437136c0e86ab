"""Masks are drawn by a generator of the data set's own."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Masked(Dataset):
    def __init__(self, ids, seed):
        self.ids = ids
        self.generator = torch.Generator().manual_seed(seed)

    def __len__(self):
        return len(self.ids)

    def __getitem__(self, index):
        ids = self.ids[index].clone()
        labels = ids.clone()
        hidden = torch.rand(len(ids), generator=self.generator) < 0.3
        ids[hidden], labels[~hidden] = 0, -100
        return ids, labels


def main():
    torch.manual_seed(0)
    data = Masked(torch.randint(1, 30, (64, 12)), seed=1)
    loader = DataLoader(data, 16, shuffle=True, num_workers=2)  # loop/workers
    model = nn.Sequential(nn.Embedding(30, 16), nn.Linear(16, 30))
    optimizer = torch.optim.AdamW(model.parameters())
    for _ in range(2):
        for ids, labels in loader:
            optimizer.zero_grad()
            logits = model(ids).flatten(0, 1)
            nn.functional.cross_entropy(logits, labels.flatten()).backward()
            optimizer.step()


if __name__ == "__main__":
    main()
