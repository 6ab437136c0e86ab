"""A convolutional network with BatchNorm and dropout, which is evaluated after its epoch."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_model() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(32 * 7 * 7, 10),
    )


def make_data(samples: int) -> TensorDataset:
    return TensorDataset(torch.randn(samples, 1, 28, 28), torch.randint(10, (samples,)))


def main() -> None:
    torch.manual_seed(0)
    model = make_model()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    training = DataLoader(make_data(2048), batch_size=32, shuffle=True)
    validation = DataLoader(make_data(256), batch_size=32)
    model.train()
    for images, labels in training:
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(images), labels).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        right = sum((model(x).argmax(1) == y).sum().item() for x, y in validation)
    print(f"{right} of 256 right")


if __name__ == "__main__":
    main()
