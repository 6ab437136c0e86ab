"""Calls that seed shared generators, and random numbers without an axis of the samples.

All samples of a batch share such numbers.

Example: the noise of a variational autoencoder, for the width of the code only.

    code = mu + torch.randn(width) * std      mu and std are (samples, width)

A factor or a threshold for the whole batch is no mistake, nor is noise on weights. So a single
number does not count, and the numbers have to meet results of the model, one for each sample.
Numbers that are drawn once are no noise, so each draw counts once, and those that are trained
never count: a bias may start with random numbers.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from symmetry.base.patches import Patch
from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.script.epochs.log import Log, states
from symmetry.training.events import Seeded, SharedNoise


class Seeding:
    """Sees calls of the functions that seed shared generators."""

    def __init__(self, log: Log) -> None:
        self._log = log
        # Libraries whose shared generator was drawn from, and never seeded. Python's is drawn from
        # by much that is no part of a training.
        self.without: tuple[str, ...] = ()

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See which generators the script draws from meanwhile."""
        before = states()
        yield
        seeded = {event.generator for event in self._log.events if isinstance(event, Seeded)}
        drawn = (name for name, state in states().items() if state != before[name])
        self.without = tuple(name for name in drawn if name not in {*seeded, "Python"})

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield torch, "manual_seed", self._seen(torch.manual_seed, "PyTorch")
        yield torch.random, "manual_seed", self._seen(torch.random.manual_seed, "PyTorch")
        yield np.random, "seed", self._seen(np.random.seed, "NumPy")
        yield random, "seed", self._seen(random.seed, "Python")

    def _seen(self, seed: Callable[..., Any], generator: str) -> Callable[..., Any]:
        def seen(*args: Any, **kwargs: Any) -> Any:
            found = seed(*args, **kwargs)
            if args or kwargs:
                self._log.add(Seeded, generator=generator, states=states())
            return found

        return seen


_DRAWS = {"randn", "rand", "normal", "randn_like", "rand_like", "normal_", "uniform_"}
_MEETS = {"add", "add_", "mul", "mul_", "sub", "__add__", "__radd__", "__mul__", "__rmul__"}
_MEETS |= {"__sub__", "__rsub__"}


class SharedDraws:
    """Follows random numbers up to where they meet the results of a model."""

    def __init__(self) -> None:
        self._drawn = WeakIdKeyDictionary()
        self._found: dict[SourceLine, tuple[tuple[int, ...], tuple[int, ...], int]] = {}

    def see_function(
        self, func: Any, args: Sequence[Any], _kwargs: dict[str, Any], result: Any
    ) -> None:
        """See the result of a function of PyTorch."""
        name = getattr(func, "__name__", "")
        if name in _DRAWS and isinstance(result, Tensor) and result.numel() > 1:
            self._drawn[result] = True
        elif name in _MEETS and torch.is_grad_enabled() and len(args) > 1:
            self._meet(args[0], args[1])
            self._meet(args[1], args[0])

    def _meet(self, noise: Any, other: Any) -> None:
        if not (isinstance(noise, Tensor) and isinstance(other, Tensor)):
            return
        if noise not in self._drawn or noise.requires_grad or other.grad_fn is None:
            return
        if other.ndim > max(noise.ndim, 1) and len(other) > 1:
            del self._drawn[noise]
            line = users_line()
            *_, times = self._found.get(line, (0, 0, 0))
            self._found[line] = tuple(noise.shape), tuple(other.shape), times + 1

    @property
    def records(self) -> tuple[SharedNoise, ...]:
        """The lines at which such numbers meet results of a model."""
        return tuple(
            SharedNoise(at=at, shape=shape, meets=meets, times=times)
            for at, (shape, meets, times) in self._found.items()
        )
