"""The events of a run over whole epochs, cut where two runs have to agree.

Example: a script with one batch for training and one for evaluation in an epoch.

    batch 0 of loader 0     begins a segment: both runs have to load the same numbers
      Net returned          measured: the sum and the norm of the output
      cross_entropy         measured: the loss
    update by SGD           begins a segment: both have to step at the same learning rate
      SGD                   measured: the sum and the norm of all parameters
    batch 0 of loader 1     begins a segment
      Net returned          measured: here the evaluation shows

How often a model is called, by which class, and how a loss is computed is the script's own choice:
what two runs measured in a segment is compared by kinds, if both measured as many of a kind.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import takewhile

from symmetry.training.events import Batch, Epochs, LoopEvent, Measured, Updated

Key = tuple[str, int, int]  # a kind, the place of an event of this kind, and of a number in it
Numbers = dict[Key, float]
_CLOSE = 1e-9  # of a learning rate; formulas of schedules round


@dataclass
class Segment:
    """The part of a run from a batch or an update up to the next one."""

    anchor: Batch | Updated | None  # the batch or the update; None before the first
    index: int  # its place among all events
    measured: list[Measured] = field(default_factory=list)  # the measured numbers since then

    def fits(self, other: Segment) -> bool:
        """Return whether both begin with the same batch, or an update at the same rates."""
        return fits(self.anchor, other.anchor)

    @property
    def kinds(self) -> dict[str, list[Measured]]:
        """The measured numbers by kind: losses by function, models together."""
        found: dict[str, list[Measured]] = {}
        for each in self.measured:
            found.setdefault(each.name if each.phase == "loss" else each.phase, []).append(each)
        return found

    @property
    def numbers(self) -> Numbers:
        """All numbers that were measured."""
        return {
            (kind, place, number): value
            for kind, events in self.kinds.items()
            for place, event in enumerate(events)
            for number, value in enumerate(event.values)
        }

    @property
    def scale(self) -> Numbers:
        """For each number the largest one that was measured with it."""
        kinds = self.kinds
        return {key: max(map(abs, kinds[key[0]][key[1]].values)) for key in self.numbers}


def fits(one: LoopEvent | None, other: LoopEvent | None) -> bool:
    """Return whether two events are the same batch, or updates at the same rates."""
    if isinstance(one, Batch) and isinstance(other, Batch):
        return position(one) == position(other) and one.digest == other.digest
    if isinstance(one, Updated) and isinstance(other, Updated):
        return one.optimizer == other.optimizer and _close(one.rates, other.rates)
    return one is None and other is None


def position(batch: Batch) -> tuple[int, int, int, tuple[str, ...]]:
    """Return which batch it is, and its shapes."""
    return batch.loader, batch.iterator, batch.number, batch.shapes


def _close(rates: tuple[float, ...], others: tuple[float, ...]) -> bool:
    return len(rates) == len(others) and all(
        math.isclose(a, b, rel_tol=_CLOSE) for a, b in zip(rates, others, strict=True)
    )


def segments(epochs: Epochs) -> list[Segment]:
    """Return the segments of a run."""
    found = [Segment(None, 0)]
    for index, event in enumerate(epochs.events):
        if isinstance(event, Batch | Updated):
            found.append(Segment(event, index))
        elif isinstance(event, Measured):
            found[-1].measured.append(event)
    return found


def common(one: Iterable[Segment], other: Iterable[Segment]) -> int:
    """Return how many segments of two runs fit, from the first one on."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0].fits(pair[1]), pairs))


def unlike(one: Segment, other: Segment) -> list[str]:
    """Return the kinds that two segments measured unequally often, or in other shapes."""
    mine, theirs = (
        {kind: [len(e.values) for e in events] for kind, events in segment.kinds.items()}
        for segment in (one, other)
    )
    return [kind for kind in mine | theirs if mine.get(kind) != theirs.get(kind)]


def gaps(one: Segment, other: Segment) -> Numbers:
    """Return the distances between the numbers of two segments, for kinds that both measured."""
    left_out, there = unlike(one, other), other.numbers
    return {
        key: _gap(number, there[key])
        for key, number in one.numbers.items()
        if key[0] not in left_out
    }


def _gap(one: float, other: float) -> float:
    """Return the distance; infinite if one number alone is not finite."""
    if math.isfinite(one) and math.isfinite(other):
        return abs(one - other)
    return 0.0 if repr(one) == repr(other) else math.inf
