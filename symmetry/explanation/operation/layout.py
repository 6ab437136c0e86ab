"""Where the result of an operation holds each clone, not only the two that were exchanged."""

from __future__ import annotations

from functools import cached_property
from itertools import chain

import numpy as np

from symmetry.explanation.operation.captured import CapturedOperation
from symmetry.units.compare import identical
from symmetry.units.state import Array
from symmetry.units.words import places_in_words


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
