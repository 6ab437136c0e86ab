"""A meter of an evaluation is told a mean, and not of how many samples."""

# promised: loop/metrics

import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


class AverageMeter:
    def __init__(self):
        self.sum, self.count = 0.0, 0

    def update(self, value, n=1):
        self.sum += value * n
        self.count += n

    @property
    def average(self):
        return self.sum / self.count


def train(model, loader, criterion, optimizer):
    model.train()
    for x, y in loader:
        optimizer.zero_grad()
        criterion(model(x), y).backward()
        optimizer.step()


def validate(model, loader, criterion):
    model.eval()
    meter = AverageMeter()
    with torch.inference_mode():
        for x, y in loader:
            meter.update(criterion(model(x), y).item())
    return meter.average


def main():
    torch.manual_seed(0)
    x = torch.randn(90, 5)
    y = x.sum(1, keepdim=True) + 0.1 * torch.randn(90, 1)
    training = DataLoader(TensorDataset(x[:40], y[:40]), 8, shuffle=True)
    validation = DataLoader(TensorDataset(x[40:], y[40:]), 16)
    model = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 1))
    optimizer = optim.AdamW(model.parameters(), lr=1e-2)
    best = float("inf")
    for _ in range(4):
        train(model, training, nn.MSELoss(), optimizer)
        loss = validate(model, validation, nn.MSELoss())
        if loss < best:
            best = loss
    print(best)


if __name__ == "__main__":
    main()
