"""Where the result of an operation holds each clone, and how much these differ, in words."""

from __future__ import annotations

from functools import cached_property
from itertools import chain

import numpy as np

from symmetry.explanation.explained import Difference
from symmetry.explanation.operation.captured import CapturedOperation
from symmetry.units import compare
from symmetry.units.compare import identical
from symmetry.units.state import Array
from symmetry.units.words import groups_in_words, places_in_words


class Layout:
    """Where the clones lie in the result: as far apart as the two, by their numbers."""

    def __init__(self, operation: CapturedOperation) -> None:
        self._operation = operation

    @cached_property
    def places(self) -> dict[int, int]:
        """Return the index of each clone along the axis of the units, the usual one first.

        Empty if they do not lie along one, evenly.
        """
        location, runs = self._operation.location, self._operation.runs
        exchange, control = runs.exchange, runs.control
        if location.kind != "axis":
            return {}
        here, there = location.i, location.j
        if exchange.a > exchange.b:
            here, there = there, here
        other = control.locations.get(self._operation.inequality.key)
        if other and other.kind == "axis" and here not in (other.i, other.j):
            here, there = there, here
        stride, odd = divmod(there - here, exchange.b - exchange.a)
        if odd:
            return {exchange.a: here, exchange.b: there}
        clones = sorted(chain.from_iterable(runs.run.groups))
        places = {u: here + (u - exchange.a) * stride for u in (exchange.a, *clones)}
        return {u: place for u, place in places.items() if 0 <= place < self._operation.length}

    @property
    def entries(self) -> dict[int, Array]:
        """Return the entries of the flat result that belong to each unit, the usual one first."""
        location, exchange = self._operation.location, self._operation.runs.exchange
        result = self._operation.result
        if location.kind == "entries":
            return {exchange.a: location.i, exchange.b: location.j}
        numbers = np.arange(result.size).reshape(result.shape)
        return {u: numbers.take(p, location.axis).ravel() for u, p in self.places.items()}

    def odd_rows(self) -> str:
        """Name the rows or columns of the result that are not as those of the usual unit."""
        if len(self.places) < 2:
            return ""
        axis = self._operation.location.axis
        rows = np.moveaxis(self._operation.result, axis, 0)
        usual = rows[next(iter(self.places.values()))]
        odd = [place for place in self.places.values() if not identical(rows[place], usual)]
        return places_in_words(sorted(odd), axis)


def difference(operation: CapturedOperation, layout: Layout, size: str) -> Difference:
    """Return which units differ in the result, and by how much."""
    exchange, groups = operation.runs.exchange, operation.runs.run.groups
    entries = layout.entries
    if not groups:
        words = operation.worded(f"units {exchange.a} and {exchange.b}, exchanged")
        return Difference(words, None, 0.0, size)
    if not entries:
        return Difference(groups_in_words(groups), None, 0.0, size)
    units, flat = sorted(entries), operation.result.ravel()
    one = np.stack([flat[entries[unit]] for unit in units])
    if layout.places:
        numbers = one.real.astype(np.float64), one.imag.astype(np.float64)
        found = compare.group_rows(*numbers)
        groups = [tuple(units[k] for k in group) for group in found]
    other = one[[units.index(next(iter(entries)))] * len(units)]
    exact = one.dtype in (np.float32, np.float64)
    ulps = compare.max_ulps(one, other) if exact else None
    relative = compare.max_relative(abs(one).astype(np.float64), abs(other).astype(np.float64))
    return Difference(groups_in_words(groups), ulps, relative, size)


def jump(operation: CapturedOperation) -> str:
    """Return how large a jump is, in words."""
    inequality, event = operation.inequality, operation.event
    if inequality.kind == "differs":
        if inequality.rounding == 0 or np.isinf(inequality.deviation):
            return "a jump: rounding cannot move it"
        times = inequality.deviation / inequality.rounding
        return f"a jump: {times:.2g} times what rounding can do"
    if event.call.written:
        before, after = event.operands[event.call.written[0]], event.arrays[0]
        if before.dtype.kind in "fc":
            return f"it changes a unit by a relative {compare.max_relative(before, after):.2g}"
    return "nothing to compare it with"
