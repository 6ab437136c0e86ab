"""A generator and a discriminator of images, with convolutions."""

import torch
from torch import nn

NOISE = 16


def make_generator() -> nn.Module:
    return nn.Sequential(
        nn.ConvTranspose2d(NOISE, 32, 4),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 4, stride=2, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, stride=2, padding=1),
        nn.Tanh(),
    )


def make_discriminator() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.BatchNorm2d(32),
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 1, 4),
        nn.Flatten(0),
    )


def main() -> None:
    torch.manual_seed(0)
    generator, discriminator = make_generator(), make_discriminator()
    of_generator = torch.optim.Adam(generator.parameters(), 2e-4, betas=(0.5, 0.999))
    of_discriminator = torch.optim.Adam(discriminator.parameters(), 2e-4, betas=(0.5, 0.999))
    loss = nn.BCEWithLogitsLoss()
    images = torch.rand(1024, 1, 16, 16) * 2 - 1
    for real in images.split(16):
        real_is, fake_is = torch.ones(len(real)), torch.zeros(len(real))
        fake = generator(torch.randn(len(real), NOISE, 1, 1))
        of_generator.zero_grad()
        loss(discriminator(fake), real_is).backward()
        of_generator.step()
        of_discriminator.zero_grad()
        loss(discriminator(real), real_is).backward()
        loss(discriminator(fake.detach()), fake_is).backward()
        of_discriminator.step()


if __name__ == "__main__":
    main()
