"""The numbers that random generators are seeded with, by the user's line.

torch.manual_seed(int(time.time()))     each run has another number: this line explains why
                                        runs do not repeat themselves
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from symmetry.base import libraries
from symmetry.base.patches import patched
from symmetry.base.randomness.generators import states_of
from symmetry.base.user_code import callers, is_ours, is_user_code, spell

_FOLDER = Path(__file__).parent

Seedings = dict[str, list[Any]]  # the numbers, by line


def seeding_line() -> str:
    """Return the user's line that seeds a generator; empty where this package does so by itself."""
    for frame in callers():
        file = frame.f_code.co_filename
        if is_user_code(file):
            return spell(file, frame.f_lineno)
        if is_ours(file) and not Path(file).is_relative_to(_FOLDER):  # functions are replaced here
            return ""
    return ""


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


@contextmanager
def unseeded() -> Iterator[list[str]]:
    """Name the libraries whose shared generator the block draws from, and never seeds.

    Python's is drawn from by much that is no part of a training. The list is filled at the end.
    """
    found: list[str] = []
    seeded: set[str] = set()
    own = {"NumPy": (lambda: [np.random], [(np.random, "seed")])} | {
        library.title: (library.generators, library.seeders())
        for library in libraries.imported()
        if library.title
    }
    before = {title: _states_of(each()) for title, (each, _) in own.items()}
    replaced = (
        (owner, name, _noting(getattr(owner, name), seeded, title))
        for title, (_, functions) in own.items()
        for owner, name in functions
    )
    try:
        with patched(replaced):
            yield found
    finally:
        drawn = [title for title, (each, _) in own.items() if _states_of(each()) != before[title]]
        found += [title for title in drawn if title not in seeded]


def _states_of(generators: Sequence[Any]) -> list[bytes]:
    states = states_of(generators)  # a pickle of a tensor has the id of its memory
    return [pickle.dumps(s.numpy() if hasattr(s, "numpy") else s) for s in states]


def _noting(seed: Callable[..., Any], seeded: set[str], title: str) -> Callable[..., Any]:
    @wraps(seed)
    def seen(*args: Any, **kwargs: Any) -> Any:
        if args or kwargs:
            seeded.add(title)
        return seed(*args, **kwargs)

    return seen


def changing(one: Seedings, other: Seedings) -> str:
    """Return the first line that seeds with other numbers in another run; empty if none does."""
    return next((line for line, numbers in one.items() if other.get(line) != numbers), "")


def _seen(seed: Callable[..., Any], found: Seedings) -> Callable[..., Any]:
    @wraps(seed)
    def seen(*args: Any, **kwargs: Any) -> Any:
        numbers = [value for value in (*args, *kwargs.values()) if isinstance(value, int | float)]
        if place := seeding_line():
            found.setdefault(place, []).extend(numbers)
        return seed(*args, **kwargs)

    return seen
