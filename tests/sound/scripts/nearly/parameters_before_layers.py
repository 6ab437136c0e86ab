"""Recommends by a graph: a method of its model reads the parameters before it calls a layer."""

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class Graph(nn.Module):
    def __init__(self, users, items, hidden=8):
        super().__init__()
        self.users, self.items = nn.Embedding(users, hidden), nn.Embedding(items, hidden)
        edges = torch.rand(users, items).lt(0.2).float()
        self.register_buffer("edges", edges / edges.sum().sqrt())

    def mixed(self):
        users, items = self.users.weight, self.items.weight
        return users + self.edges @ items, items + self.edges.T @ users

    def loss(self, user, liked, other):
        users, items = self.mixed()
        scores = (users[user] * (items[other] - items[liked])).sum(1)
        size = self.users(user).square().sum() + self.items(liked).square().sum()
        return F.softplus(scores).mean() + 1e-4 * size / len(user)


def main():
    torch.manual_seed(0)
    users, liked, others = (torch.randint(n, (96,)) for n in (20, 30, 30))
    model = Graph(20, 30)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for epoch in range(3):
        for batch in DataLoader(TensorDataset(users, liked, others), 16, shuffle=True):
            optimizer.zero_grad()
            loss = model.loss(*batch)
            loss.backward()
            optimizer.step()
        print(f"epoch {epoch}: {loss.item():.3f}")


if __name__ == "__main__":
    main()
