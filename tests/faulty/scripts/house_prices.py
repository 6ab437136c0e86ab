"""Predicts prices from columns of numbers; outputs have an axis that the prices lack."""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Houses(Dataset):
    def __init__(self, count):
        generator = torch.Generator().manual_seed(1)
        self.columns = torch.randn(count, 7, generator=generator)
        self.prices = (self.columns**2).sum(1) / 7

    def __len__(self):
        return len(self.prices)

    def __getitem__(self, number):
        return self.columns[number], self.prices[number]


def main():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(7, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    criterion = nn.MSELoss()
    for epoch in range(2):
        total = 0.0
        for columns, prices in DataLoader(Houses(96), batch_size=16, shuffle=True):
            optimizer.zero_grad()
            loss = criterion(model(columns), prices)
            loss.backward()
            optimizer.step()
            total += loss.item()
        print(epoch, total)


main()
