"""The batches of an evaluation are cut anew, and its numbers stay, or move.

    (8, 8, 3)                   the samples, as a script evaluates them
    (8, 8, 8, 8, 6)             each sample twice: a mean over samples stays as it is
    (8, 8) and (8, 8)           other samples share a batch: a mean stays, a perplexity moves
    (8, 8, 8, 8), (16, 16)      whole batches twice, and each sample twice in its own batch

A wrong weight of the last batch moves a number in the second line, and in none of the others.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from symmetry.observe.source_line import SourceLine

Batches = Sequence[Sequence[int]]  # indices of samples
Effect = Literal["stays", "weights", "batches", "together", "sum", "left"]
_WHOLE = 4  # batches that are evaluated: samples of one batch get into several
# Relative: what float32 rounds in another order stays below, and less than the other is no matter.
_SAME, _MOVES = 1e-5, 1e-3
_UNITS = 2.5  # in the last place that is printed: rounding moves it by one


@dataclass(frozen=True)
class Number:
    """A number that leaves an evaluation."""

    value: float
    place: float = 0.0  # the last one that is printed: 0.01

    def same(self, other: Number) -> bool:
        """Return whether another one differs only by rounding."""
        room = _SAME * max(abs(self.value), abs(other.value))
        return abs(self.value - other.value) <= max(room, 1.01 * max(self.place, other.place))

    def moved(self, other: Number) -> bool:
        """Return whether another one is clearly another number."""
        room = _MOVES * max(abs(self.value), abs(other.value))
        return abs(self.value - other.value) > max(room, _UNITS * max(self.place, other.place))

    def doubled(self) -> Number:
        """Return twice the number."""
        return Number(2 * self.value, 2 * self.place)


Numbers = Mapping[str, Number]  # by the place where they leave


@dataclass(frozen=True)
class Answer:
    """The end of an evaluation."""

    numbers: Numbers  # none if it is left before its end
    left: bool  # whether it is
    saved: SourceLine | None  # the line at which it saves


@dataclass(frozen=True)
class Recut:
    """The way in which a number follows the batches behind it."""

    # "weights": the last batch has a wrong one; "batches": it depends on which samples share a
    # batch; "together": also on how often, or in which order they come; "sum": it grows with them;
    # "left": the evaluation is left before its end.
    effect: Effect
    name: str = ""  # the place where it leaves
    before: float = 0.0
    after: float = 0.0
    samples: int = 0  # that ``before`` is of


def recuts(samples: int, size: int) -> Generator[Batches, Numbers, list[Recut]]:
    """Yield batches, and take the numbers of an evaluation of them; return what these do.

    Nothing is known of batches of one sample, or of a single one.
    """
    whole, rest = min(samples // size, _WHOLE), samples % size
    if size == 1 or whole <= 1:
        return []
    equal = cut(range(whole * size), size)
    first = yield equal
    if not first:
        return []
    mixed = yield _mixed(equal, seed=1)
    known = {name: number for name, number in first.items() if name in mixed}
    by_batch = {name for name, number in known.items() if not number.same(mixed[name])}
    found = {name: Recut("stays", name) for name in known}
    if by_batch:
        found |= yield from _of_batches(by_batch, equal, first, mixed)
    if rest and len(by_batch) < len(known):
        names, uneven = known.keys() - by_batch, range(whole * size + rest)
        found |= yield from _of_weights(names, equal, first, uneven)
    return [*found.values()]


def _of_batches(
    names: set[str], equal: Batches, first: Numbers, mixed: Numbers
) -> Generator[Batches, Numbers, dict[str, Recut]]:
    """Judge numbers that move where samples are exchanged between batches."""
    turned = yield [batch[::-1] for batch in reversed(equal)]
    inside = yield _inside(equal)
    found = {}
    for name in names:
        number = first[name]
        own = all(name in each and number.same(each[name]) for each in (turned, inside))
        if own and number.moved(mixed[name]):
            count = sum(map(len, equal))
            found[name] = Recut("batches", name, number.value, mixed[name].value, count)
        else:
            found[name] = Recut("together", name)
    return found


def _of_weights(
    names: set[str], equal: Batches, first: Numbers, uneven: range
) -> Generator[Batches, Numbers, dict[str, Recut]]:
    """Judge numbers that stay where samples are exchanged, if the last batch is a smaller one."""
    size = len(equal[0])
    parts = cut(uneven, size), cut([*uneven, *uneven], size)
    before, after = (yield parts[0]), (yield parts[1])
    names = {
        name
        for name in names
        if name in before and name in after and before[name].moved(after[name])
    }
    if not names:
        return {}
    twice = yield [*equal, *equal]
    found = {}
    for name in names:
        if name in twice and first[name].doubled().same(twice[name]):
            found[name] = Recut("sum", name)
        elif name not in twice or not first[name].same(twice[name]):
            found[name] = Recut("together", name)
    if names := names - found.keys():
        others = (yield _mixed(equal, 2)), (yield _mixed(equal, 3))
        inside, again = (yield _inside(equal)), (yield parts[1])
        for name in names:
            number = first[name]
            stays = all(name in each and number.same(each[name]) for each in others)
            own = name in inside and any(
                x.same(inside[name]) for x in (number, number.doubled())
            )  # twice, where it is divided by the size that a whole batch has
            if stays and own and name in again and again[name] == after[name]:
                values = before[name].value, after[name].value
                found[name] = Recut("weights", name, *values, len(uneven))
            else:
                found[name] = Recut("together", name)
    return found


def cut(indices: Sequence[int], size: int) -> Batches:
    """Return batches of a size, and the rest."""
    return [[*indices[k : k + size]] for k in range(0, len(indices), size)]


def _mixed(batches: Batches, seed: int) -> Batches:
    """Return batches of the same sizes, with their samples in another order."""
    indices = [index for batch in batches for index in batch]
    order = np.random.default_rng(seed).permutation(len(indices))
    return cut([indices[k] for k in order], len(batches[0]))


def _inside(batches: Batches) -> Batches:
    """Return batches that hold each of their samples twice."""
    return [[*batch, *batch] for batch in batches]
