"""Trains a classifier, and slices off one sample too many."""

import argparse

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


class Points(Dataset):
    def __init__(self, count):
        self.x = torch.randn(count, 5)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, number):
        return {"x": self.x[number], "label": int(self.x[number].sum() > 0)}


def train(model, loader, epochs):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for epoch in range(epochs):
        for batch in loader:
            logits, labels = model(batch["x"])[:-1], batch["label"][:-1]
            loss = nn.functional.cross_entropy(logits, labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        torch.save({"model": model.state_dict(), "epoch": epoch}, "last.pt")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=2)
    args = parser.parse_args()
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))
    train(model, DataLoader(Points(60), batch_size=8, shuffle=True, num_workers=2), args.epochs)


if __name__ == "__main__":
    main()
