"""Seeds that are other numbers in each run of a script: its runs get those of the first one.

    torch.manual_seed(int(time.time()))     1764600000 in the first run. The second one is to seed
                                            with 1764600003, and gets 1764600000, too; so does
                                            whatever it seeds with that number later.

The first call of a line in a run is compared with the first call in the first run. Where samples
are rearranged a data set may seed with the number of a sample: there only lines that were held
before are, and numbers that are read off a clock.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import wraps
from typing import Any

import numpy as np

from symmetry.base import libraries
from symmetry.base.patches import patched
from symmetry.base.randomness.seedings import seeding_line
from symmetry.base.randomness.unseeded import SEEDS

Key = tuple[tuple[int, bool], str]  # the seed of a run, and a line of the user's code
Numbers = Mapping[Key, Any]

_NUMBERS = int | float | np.integer | np.floating
_CLOCKS = (1.0, 1e3, 1e6, 1e9)  # parts of a second that clocks count
_RECENT = 3600.0  # seconds: a clock that was read in this run is no further behind


class HeldSeeds:
    """The numbers that the lines of a script seed generators with.

    Parameters
    ----------
    numbers
        Those of an earlier run.

    Attributes
    ----------
    numbers
        The first number of each line.
    changing
        The lines that have seeded with another number in a later run, each with the first one.
    """

    def __init__(self, numbers: Numbers | None = None) -> None:
        self.numbers: dict[Key, Any] = dict(numbers or {})
        self.changing: dict[str, Any] = {}

    @property
    def fixed(self) -> bool:
        """Whether a line seeds, with the same number in each run."""
        return any(line not in self.changing for _, line in self.numbers)

    def of_run(
        self, rearranged: Callable[[], bool] = lambda: False
    ) -> Callable[[], AbstractContextManager[None]]:
        """Return what is entered each time that one run goes on; its samples may be rearranged."""
        run = _Run(self, rearranged)
        return run.holding


class _Run:
    """The numbers of one run."""

    def __init__(self, held: HeldSeeds, rearranged: Callable[[], bool]) -> None:
        self._held, self._rearranged = held, rearranged
        self._seen: set[Key] = set()
        self._instead: dict[Any, Any] = {}

    @contextmanager
    def holding(self) -> Iterator[None]:
        """Hold the numbers that generators are seeded with while the block runs."""
        functions: list[tuple[Any, str]] = [
            *((random.Random, "seed"), (random, "seed")),
            *((np.random, "seed"), (np.random, "default_rng")),
        ]
        for library in libraries.imported():
            functions += library.seeders()
        with patched((owner, name, self._with(getattr(owner, name))) for owner, name in functions):
            yield

    def _with(self, seed: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(seed)
        def seeded(*args: Any, **kwargs: Any) -> Any:
            line = seeding_line()
            if line:
                args = tuple(self._number(line, value) for value in args)
                kwargs = {name: self._number(line, value) for name, value in kwargs.items()}
            return seed(*args, **kwargs)

        return seeded

    def _number(self, line: str, value: Any) -> Any:
        """Return the number that a line seeds with."""
        if not isinstance(value, _NUMBERS) or isinstance(value, bool):
            return value
        key = SEEDS.start, line
        if key not in self._seen:
            self._seen.add(key)
            first = self._held.numbers.setdefault(key, value)
            known = not self._rearranged() or line in self._held.changing or _is_time(value)
            if first != value and known:
                self._held.changing[line] = first
                self._instead[value] = first
        return self._instead.get(value, value)


def _is_time(number: Any) -> bool:
    return any(0 <= time.time() - number / parts < _RECENT for parts in _CLOCKS)
