"""Random generators that code makes without a seed: in a run they get one.

    generator = np.random.default_rng()     its numbers come from the operating system, and so no
                                            two runs are the same. Inside of ``giving_seeds`` they
                                            come from the next seed of ``SEEDS``.

The seeds are numbers of a run like those of the shared generators: ``SEEDS`` is one of them. A
process that a run has started, as a worker of a loader, gets none.

Libraries draw from the shared generators as they are imported: the first run would begin with other
numbers than all later ones. An import leaves these generators as they were.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import numpy as np
from numpy.random import bit_generator

from symmetry.base import libraries
from symmetry.base.patches import Patch, outermost, patched
from symmetry.base.user_code import is_user_code, shorten

_BYTES = 16  # of a seed
_OWN = (str(Path(__file__).parent), random.__file__)  # files that seed for others


@dataclass(frozen=True)
class Unseeded:
    """A line that makes a random generator without a seed."""

    # The line, of the user's code; an empty file if a library alone does it.
    file: str
    line: int
    cure: str  # a call with a seed
    direct: bool  # whether the line itself makes it, and no library


class Seeds:
    """Seeds for generators that are made without one, and the lines that make them.

    A seed depends on the function that makes the generator, and on how many it has made: a library
    that the first run imports may make some, and no later run does.
    """

    def __init__(self) -> None:
        self.other = False  # whether ``seed`` chooses other seeds than it usually does
        self.seed(0)

    def seed(self, seed: int) -> None:
        """Begin anew, for a seed of all random numbers."""
        self._start: tuple[int, bool] = seed, self.other
        self._made: Counter[tuple[str, ...]] = Counter()
        self._lines: dict[Unseeded, None] = {}

    @property
    def start(self) -> tuple[int, bool]:
        """The seed that it began from, and whether its seeds are others."""
        return self._start

    def getstate(self) -> Any:
        """Return what ``setstate`` goes on with."""
        return self._start, Counter(self._made), tuple(self._lines)

    def setstate(self, state: Any) -> None:
        """Go on with what ``getstate`` has returned."""
        self._start, made, lines = state
        self._made, self._lines = Counter(made), dict.fromkeys(lines)

    @property
    def lines(self) -> tuple[Unseeded, ...]:
        """The lines that have made generators by now."""
        return tuple(self._lines)

    def next(self, cure: str) -> int:
        """Return the next seed, and keep the line that needs it."""
        maker, line = _needed_by(cure)
        self._lines[line] = None
        self._made[maker] += 1
        chosen = repr((self._start, maker, self._made[maker]))
        return int.from_bytes(hashlib.sha256(chosen.encode()).digest()[:_BYTES])

    @contextmanager
    def choosing(self, *, other: bool) -> Iterator[None]:
        """Let ``seed`` choose other seeds, or the usual ones: runs differ in them alone."""
        before, self.other = self.other, other
        try:
            yield
        finally:
            self.other = before


SEEDS = Seeds()


@contextmanager
def giving_seeds() -> Iterator[None]:
    """Give seeds to generators that are made, or seeded again, without one.

    Libraries that are imported meanwhile draw no number of the script.
    """
    here = os.getpid()
    source: Any = bit_generator
    drawn, seeded = source.randbits, random.Random.seed

    def bits(number: int) -> int:
        if os.getpid() != here:
            return int(drawn(number))
        return SEEDS.next("np.random.default_rng(0)") % (1 << number)

    def seed(self: random.Random, a: Any = None, version: int = 2) -> None:
        if a is None and os.getpid() == here:
            a = SEEDS.next("random.Random(0)")
        seeded(self, a, version)

    shared: Any = random._inst
    replaced: list[Patch] = [
        (source, "randbits", bits),
        (random.Random, "seed", seed),
        (random, "seed", lambda a=None, version=2: seed(shared, a, version)),
        (SourceFileLoader, "exec_module", _drawing_nothing(SourceFileLoader.exec_module)),
    ]
    for library in libraries.imported():
        for owner, name, cure, given in library.seedings():
            replaced.append((owner, name, _seeding(cure, given)))
    with patched(replaced):
        yield


def _drawing_nothing(execute: Callable[..., None]) -> Callable[..., None]:
    """Return what executes a module, and puts the shared generators back behind a library's.

    The generators of the library itself are made once, and not in each run.
    """

    def executed(loader: SourceFileLoader, module: ModuleType) -> None:
        python, numpy, seeds = random.getstate(), np.random.get_state(), SEEDS.getstate()
        try:
            execute(loader, module)
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
            SEEDS.setstate(seeds)

    library = outermost(execute, executed)

    def exec_module(loader: SourceFileLoader, module: ModuleType) -> None:
        (execute if is_user_code(loader.path) else library)(loader, module)

    return exec_module


def _seeding(cure: str, seed: Callable[[int], Any]) -> Callable[[], Any]:
    return lambda: seed(SEEDS.next(cure))


def _needed_by(cure: str) -> tuple[tuple[str, ...], Unseeded]:
    """Return the function that needs a seed, and the line of the user's code behind it."""
    frame: FrameType | None = sys._getframe(2)
    while frame is not None and frame.f_code.co_filename.startswith(_OWN):
        frame = frame.f_back
    maker = frame
    while frame is not None and not is_user_code(frame.f_code.co_filename):
        frame = frame.f_back
    code = maker.f_code if maker else None
    key = (Path(code.co_filename).name, code.co_name, cure) if code else (cure,)
    if frame is None:
        return key, Unseeded("", 0, cure, direct=False)
    file = shorten(frame.f_code.co_filename)
    return key, Unseeded(file, frame.f_lineno, cure, direct=frame is maker)
