"""Trains on images that torchvision mixes as they are collated: CutMix or MixUp of each batch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset, default_collate
from torchvision.transforms import v2

CLASSES = 5


def images(count, seed):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=draw)
    pictures = torch.randn(count, 3, 12, 12, generator=draw)
    pictures[torch.arange(count), 0, labels, :] += 2.0
    return TensorDataset(pictures, labels)


mixed = v2.RandomChoice([v2.CutMix(num_classes=CLASSES), v2.MixUp(alpha=0.4, num_classes=CLASSES)])


def collate(batch):
    return mixed(*default_collate(batch))


def evaluate(model, loader, criterion):
    model.eval()
    total = 0.0
    with torch.no_grad():
        for x, y in loader:
            total += criterion(model(x), y).item() * len(x)
    return total / len(loader.dataset)


def main():
    torch.manual_seed(0)
    train = DataLoader(
        images(64, 0), batch_size=16, shuffle=True, collate_fn=collate, drop_last=True
    )
    test = DataLoader(images(32, 1), batch_size=16)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(8, 12, 3, padding=1),
        nn.BatchNorm2d(12),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(12, CLASSES),
    )
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
    for epoch in range(4):
        model.train()
        for x, y in train:
            optimizer.zero_grad(set_to_none=True)
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
        print(epoch, loss.item(), evaluate(model, test, criterion))


if __name__ == "__main__":
    main()
