"""A small U-Net that predicts the noise of images."""

import torch
from torch import nn
from torch.utils.data import DataLoader

STEPS, WIDTH = 100, 16


class Block(nn.Module):
    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.norm, self.time = nn.GroupNorm(4, outputs), nn.Linear(WIDTH, outputs)

    def forward(self, x: torch.Tensor, time: torch.Tensor) -> torch.Tensor:
        x = nn.functional.silu(self.norm(self.first(x)) + self.time(time)[:, :, None, None])
        return nn.functional.silu(self.second(x))


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.time = nn.Embedding(STEPS, WIDTH)
        self.down, self.middle = Block(1, WIDTH), Block(WIDTH, 2 * WIDTH)
        self.up, self.last = Block(3 * WIDTH, WIDTH), nn.Conv2d(WIDTH, 1, 1)

    def forward(self, x: torch.Tensor, step: torch.Tensor) -> torch.Tensor:
        time = self.time(step)
        down = self.down(x, time)
        middle = self.middle(nn.functional.avg_pool2d(down, 2), time)
        up = nn.functional.interpolate(middle, scale_factor=2)
        return self.last(self.up(torch.cat((down, up), 1), time))


def main() -> None:
    torch.manual_seed(0)
    model = UNet()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3)
    kept = torch.cumprod(1 - torch.linspace(1e-4, 0.02, STEPS), 0)
    for images in DataLoader(torch.rand(512, 1, 16, 16), batch_size=8, shuffle=True):
        step = torch.randint(STEPS, (len(images),))
        noise = torch.randn_like(images)
        share = kept[step][:, None, None, None]
        noisy = share.sqrt() * images + (1 - share).sqrt() * noise
        loss = nn.functional.mse_loss(model(noisy, step), noise)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"loss {loss.item():.3f}")


if __name__ == "__main__":
    main()
