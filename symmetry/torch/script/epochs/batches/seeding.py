"""Where a script seeds the random generators that all code shares."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from symmetry.base.patches import Patch
from symmetry.torch.script.epochs.log import Log, states
from symmetry.training.events import Seeded


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
