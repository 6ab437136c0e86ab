"""A variational autoencoder of images."""

import torch
from torch import nn
from torch.utils.data import DataLoader


class VAE(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(784, 128), nn.ReLU())
        self.mean, self.variance = nn.Linear(128, 8), nn.Linear(128, 8)
        self.decoder = nn.Sequential(nn.Linear(8, 128), nn.ReLU(), nn.Linear(128, 784))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        hidden = self.encoder(x.flatten(1))
        mean, variance = self.mean(hidden), self.variance(hidden)
        code = mean + torch.randn_like(mean) * (0.5 * variance).exp()
        return self.decoder(code), mean, variance


def loss_of(outputs: tuple[torch.Tensor, ...], x: torch.Tensor) -> torch.Tensor:
    logits, mean, variance = outputs
    likelihood = nn.functional.binary_cross_entropy_with_logits(
        logits, x.flatten(1), reduction="sum"
    )
    divergence = -0.5 * (1 + variance - mean.square() - variance.exp()).sum()
    return (likelihood + divergence) / len(x)


def main() -> None:
    torch.manual_seed(0)
    model = VAE()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    for x in DataLoader(torch.rand(2048, 1, 28, 28), batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = loss_of(model(x), x)
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
