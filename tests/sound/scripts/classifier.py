"""Trains a classifier: a data file beside it, early stopping, checkpoints, and a log."""

import argparse
import csv
import json
import logging
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, random_split

HERE = Path(__file__).resolve().parent
log = logging.getLogger("classifier")


def read(file):
    with file.open(newline="") as lines:
        rows = [[float(cell) for cell in row] for row in csv.reader(lines)]
    table = torch.tensor(rows)
    return TensorDataset(table[:, :-1], table[:, -1].long())


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    found = [(model(x).argmax(1) == y).float().mean().item() for x, y in loader]
    model.train()
    return sum(found) / len(found)


def main(args):
    out = HERE / "runs" / args.name
    out.mkdir(parents=True, exist_ok=True)
    log.addHandler(logging.FileHandler(out / "log.txt"))
    torch.manual_seed(args.seed)
    data = read(HERE / "classifier.csv")
    train, held_out = random_split(data, [0.75, 0.25])
    loader = DataLoader(train, batch_size=6, shuffle=True, num_workers=2, persistent_workers=True)
    model = nn.Sequential(
        nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Dropout(0.1), nn.Linear(6, 2)
    )
    optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, args.epochs)
    best, bad = 0.0, 0
    for epoch in range(args.epochs):
        for x, y in loader:
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        scheduler.step()
        score = accuracy(model, DataLoader(held_out, batch_size=12))
        log.warning("epoch %d: %.3f", epoch, score)
        bad = 0 if score > best else bad + 1
        best = max(best, score)
        torch.save(model.state_dict(), out / f"epoch{epoch}.pt")
        if bad > args.patience:
            break
    (out / "result.json").write_text(json.dumps({"best": best, **vars(args)}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=1e-2)
    parser.add_argument("--patience", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="first")
    main(parser.parse_args())
