"""The hidden axes of every array of a step, found by matching runs of different size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any, Literal

from symmetry.culprit.layout import Layout, by_size, layouts
from symmetry.culprit.tape import Event

Side = Literal["operands", "results"]

_MOST_PAIRS = 4_000_000  # of operations that are compared with each other: a few seconds


class Axes:
    """Answers where the hidden units of an array may lie.

    Parameters
    ----------
    own
        The operations of the step, as a run with ``hidden`` units performed them.
    larger, doubled
        The same with some more units, and with twice as many; None where that run failed.
    hidden
        The number of hidden units.
    others
        Lengths that other axes have: samples, inputs, classes.
    """

    def __init__(
        self,
        own: Sequence[Event],
        larger: Sequence[Event] | None,
        doubled: Sequence[Event] | None,
        hidden: int,
        others: Iterable[int],
    ) -> None:
        self._own = own
        self._hidden = hidden
        self._others = frozenset(others)
        self._larger = match(own, larger or ())
        self._doubled = match(own, doubled or ())

    @property
    def unmatched(self) -> int:
        """The number of operations that the larger run did not perform likewise."""
        return self._larger.count(None)

    def find(
        self, index: int, name: str, side: Side, position: int, shape: tuple[int, ...]
    ) -> tuple[Layout, ...]:
        """Return the possible layouts of one operand or result of operation ``index``."""
        if index < len(self._own) and self._own[index].name == name:
            larger = self._shape(self._larger[index], side, position)
            if larger is not None and self._shape(self._own[index], side, position) == shape:
                doubled = self._shape(self._doubled[index], side, position)
                return layouts(shape, larger, doubled, self._hidden)
        return by_size(shape, self._hidden, self._others)

    def grows(
        self, index: int, name: str, side: Side, position: int, shape: tuple[int, ...]
    ) -> bool:
        """Return whether the shape depends on the number of hidden units, in whatever way."""
        if index >= len(self._own) or self._own[index].name != name:
            return False
        larger = self._shape(self._larger[index], side, position)
        return larger is not None and larger != shape

    @staticmethod
    def _shape(event: Event | None, side: Side, position: int) -> tuple[int, ...] | None:
        shapes = () if event is None else event.operands if side == "operands" else event.results
        return shapes[position] if position < len(shapes) else None


def match(own: Sequence[Event], other: Sequence[Event]) -> list[Event | None]:
    """Return for each operation of one run its counterpart in another, None where it has none.

    What both begin with and what both end with is taken for granted; in between, where a branch or
    a loop depends on the number of hidden units, the longest common parts are matched.
    """
    ours, theirs = [event.token for event in own], [event.token for event in other]
    matched: list[Event | None] = [None] * len(own)
    head = _common(ours, theirs)
    tail = min(_common(ours[::-1], theirs[::-1]), len(ours) - head, len(theirs) - head)
    matched[:head] = other[:head]
    if tail:
        matched[-tail:] = other[-tail:]
    ours, theirs = (tokens[head : len(tokens) - tail] for tokens in (ours, theirs))
    if 0 < len(ours) * len(theirs) <= _MOST_PAIRS:
        for a, b, size in SequenceMatcher(None, ours, theirs, autojunk=False).get_matching_blocks():
            matched[head + a : head + a + size] = other[head + b : head + b + size]
    return matched


def _common(a: Sequence[Any], b: Sequence[Any]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(a, b, strict=False)))
