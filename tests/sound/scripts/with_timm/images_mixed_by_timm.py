"""Trains a network on images that timm mixes, with its loss for soft labels and its average."""

import torch
from timm.data import Mixup
from timm.loss import SoftTargetCrossEntropy
from timm.utils import ModelEmaV2
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

CLASSES = 5


def images(count, seed):
    draw = torch.Generator().manual_seed(seed)
    labels = torch.randint(CLASSES, (count,), generator=draw)
    pictures = torch.randn(count, 3, 12, 12, generator=draw)
    pictures[torch.arange(count), 0, labels, :] += 2.0
    return TensorDataset(pictures, labels)


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.ReLU(inplace=True),
            nn.Conv2d(8, 12, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(12),
            nn.ReLU(inplace=True),
        )
        self.head = nn.Linear(12, CLASSES)

    def forward(self, x):
        return self.head(self.features(x).mean((2, 3)))


@torch.no_grad()
def accuracy(model, loader):
    model.eval()
    right = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    return right / len(loader.dataset)


def main():
    torch.manual_seed(0)
    mixup = Mixup(
        mixup_alpha=0.8,
        cutmix_alpha=1.0,
        prob=1.0,
        switch_prob=0.5,
        mode="batch",
        label_smoothing=0.1,
        num_classes=CLASSES,
    )
    train = DataLoader(images(64, 0), batch_size=16, shuffle=True, drop_last=True)
    test = DataLoader(images(32, 1), batch_size=16)
    model = Network()
    average = ModelEmaV2(model, decay=0.98)
    criterion = SoftTargetCrossEntropy()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.05)
    epochs = 4
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    for epoch in range(epochs):
        model.train()
        for x, y in train:
            x, y = mixup(x, y)
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            average.update(model)
        scheduler.step()
        print(epoch, loss.item(), accuracy(model, test), accuracy(average.module, test))


if __name__ == "__main__":
    main()
