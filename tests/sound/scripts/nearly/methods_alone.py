"""Factorises ratings: it calls a method of its model, and no module."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Factors(nn.Module):
    def __init__(self, users, items, hidden=8):
        super().__init__()
        self.users = nn.Parameter(0.1 * torch.randn(users, hidden))
        self.items = nn.Parameter(0.1 * torch.randn(items, hidden))

    def loss(self, user, item, rating):
        return ((self.users[user] * self.items[item]).sum(1) - rating).square().mean()


def main():
    torch.manual_seed(0)
    users, items = torch.randint(20, (96,)), torch.randint(30, (96,))
    data = TensorDataset(users, items, torch.randn(96))
    model = Factors(20, 30)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(3):
        for batch in DataLoader(data, 16, shuffle=True):
            loss = model.loss(*batch)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
        print(f"epoch {epoch}: {loss.item():.3f}")


if __name__ == "__main__":
    main()
