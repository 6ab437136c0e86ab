"""The parameters that a script begins from: digests of them, and others close by."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from symmetry.base.randomness.random import Random
from symmetry.torch.script.epochs.log import digest_of
from symmetry.training.events import NOT_COMPILED
from symmetry.training.run import RunSettings


class StartingParameters:
    """Reads all parameters when the first model is called, and moves them on request.

    Parameters
    ----------
    roots
        Returns the modules that are in no other.
    seed, draw
        Name the random numbers by which parameters are moved; without a draw they stay.
    """

    def __init__(self, roots: Callable[[], Sequence[nn.Module]], seed: int, draw: int | None):
        self._roots, self._settings, self._draw = roots, RunSettings(seed=seed), draw
        # The name and the digest of each parameter, in the order in which modules were made.
        self.digests: tuple[tuple[str, str], ...] = ()

    def see(self) -> None:
        """Read the parameters, and move them: copies of a model as the model itself."""
        named = [*self._parameters()]
        self.digests = tuple((name, digest_of([p])) for name, p in named)
        if self._draw not in (None, NOT_COMPILED):
            for name, parameter in named:
                if parameter.requires_grad:
                    _move(parameter, self._settings.perturbation(self._draw, _number(name)))

    def _parameters(self) -> Iterator[tuple[str, Tensor]]:
        for root in self._roots():
            for name, parameter in root.named_parameters():
                if not is_lazy(parameter) and not parameter.is_meta:
                    yield name, parameter


def _number(name: str) -> int:
    return zlib.crc32(name.encode())


@torch.no_grad()
def _move(parameter: Tensor, random: Random) -> None:
    """Move a parameter by up to one ulp and eps of its largest entry; zeros stay."""
    plain = parameter.detach()
    if not plain.is_floating_point() or not plain.numel():
        return
    shift = torch.as_tensor(random.uniform(tuple(plain.shape), -1.0, 1.0), device=plain.device)
    shift *= torch.finfo(plain.dtype).eps * (plain.abs().double() + plain.abs().max().double())
    plain.data.copy_((plain.double() + shift).to(plain.dtype))
