"""The optimisers of the hard trainings; some are written here, as their papers say."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from tests.sound.trainings.bases import Each, Soap


class Lion(Each):
    """Signs of a momentum."""

    def update(self, parameter: Tensor, gradient: Tensor) -> Tensor:
        momentum = self.kept(parameter, "momentum", torch.zeros_like(parameter))
        update = torch.sign(momentum * 0.9 + gradient * 0.1)
        momentum.mul_(0.99).add_(gradient, alpha=0.01)
        return update


class Muon(Each):
    """A momentum whose singular values become about 1."""

    def update(self, parameter: Tensor, gradient: Tensor) -> Tensor:
        momentum = self.kept(parameter, "momentum", torch.zeros_like(parameter))
        momentum.mul_(0.95).add_(gradient)
        if parameter.ndim != 2:
            return momentum
        x = momentum / (momentum.norm() + 1e-7)
        tall = x.shape[0] > x.shape[1]
        x = x.T if tall else x
        for _ in range(5):
            a = x @ x.T
            x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
        return x.T if tall else x


OPTIMISERS: dict[str, Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]] = {
    "adamw": lambda p: torch.optim.AdamW(p, 1e-3),
    "fused": lambda p: torch.optim.AdamW(p, 1e-3, fused=True),
    "momentum": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9),
    "rmsprop": lambda p: torch.optim.RMSprop(p, 1e-3),
    "rprop": lambda p: torch.optim.Rprop(p, 1e-3),
    "adagrad": lambda p: torch.optim.Adagrad(p, 1e-2),
    "adafactor": lambda p: torch.optim.Adafactor(p, 1e-2),
    "adadelta": torch.optim.Adadelta,
    "adamax": torch.optim.Adamax,
    "nadam": torch.optim.NAdam,
    "asgd": torch.optim.ASGD,
    "lion": lambda p: Lion(p, 1e-3),
    "muon": lambda p: Muon(p, 1e-2),
    "soap": lambda p: Soap(p, 1e-3),
}
