"""The numbers that random generators are seeded with, by the user's line.

torch.manual_seed(int(time.time()))     each run has another number: this line explains why
                                        runs do not repeat themselves
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import numpy as np

from symmetry.base import libraries
from symmetry.base.patches import patched
from symmetry.base.user_code import user_place

Seedings = dict[str, list[Any]]  # the numbers, by line


@contextmanager
def seedings() -> Iterator[Seedings]:
    """Collect the numbers that the user's lines seed generators with while the block runs."""
    found: Seedings = {}
    functions: list[tuple[Any, str]] = [
        (random.Random, "seed"),
        (random, "seed"),
        (np.random, "seed"),
    ]
    for library in libraries.imported():
        functions += library.seeders()
    with patched((owner, name, _seen(getattr(owner, name), found)) for owner, name in functions):
        yield found


def changing(one: Seedings, other: Seedings) -> str:
    """Return the first line that seeds with other numbers in another run; empty if none does."""
    return next((line for line, numbers in one.items() if other.get(line) != numbers), "")


def _seen(seed: Callable[..., Any], found: Seedings) -> Callable[..., Any]:
    @wraps(seed)
    def seen(*args: Any, **kwargs: Any) -> Any:
        numbers = [value for value in (*args, *kwargs.values()) if isinstance(value, int | float)]
        if place := user_place():
            found.setdefault(place, []).extend(numbers)
        return seed(*args, **kwargs)

    return seen
