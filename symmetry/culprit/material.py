"""Lines of Python that make an operand anew: the same layout in memory, simpler numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from symmetry.culprit.dialect import Dialect
from symmetry.culprit.layout import Layout
from symmetry.culprit.snapshot import Piece

Array = NDArray[Any]
Numbers = Literal["simple", "positive", "exact"]

_MOST_NUMBERS = 64  # that a script may list
_WIDEST = 64  # entries to cut off from an axis


@dataclass(frozen=True, eq=False)
class Material:
    """One operand to be made anew.

    Attributes
    ----------
    values
        The recorded numbers.
    piece
        How they lay in memory.
    layout
        Where the hidden units are; None if it has none.
    same
        Whether the units are the same in it.
    dtype
        Its name in the library's own words.
    overwritten
        Whether the numbers do not matter.
    number
        Of the variable, so that two variables get different numbers.
    """

    values: Array
    piece: Piece
    layout: Layout | None
    same: bool
    dtype: str
    overwritten: bool = False
    number: int = 0

    def write(
        self, dialect: Dialect, sizes: Mapping[int, int], numbers: Numbers, *, dense: bool
    ) -> str | None:
        """Return an expression that makes it with other sizes, or None if that would be long.

        If it need not be ``dense``, it is cut out of an array as wide as the one it was cut out of.
        """
        shape: list[int] = [sizes.get(size, size) for size in self.values.shape]
        strides = self._strides()
        if 0 in strides:
            return None
        order = sorted(range(len(shape)), key=lambda axis: -strides[axis])
        stored = [shape[axis] for axis in order]
        gaps = [0] * len(order) if dense else self._gaps(order, strides)
        cut = ", ".join(f"{gap}:" if gap else ":" for gap in gaps)
        whole = [length + gap for length, gap in zip(stored, gaps, strict=True)]
        text = self._fill(dialect, order, whole, gaps, numbers)
        return text and text + (f"[{cut}]" if any(gaps) else "") + dialect.permuted(order)

    @cached_property
    def _is_constant(self) -> bool:
        return bool((self.values == self.values.flat[0]).all())

    def _strides(self) -> list[int]:
        """Return how far apart entries are; an axis of length 1 gets what fits its neighbours."""
        strides, inside = [], self.piece.dtype.itemsize
        for length, stride in zip(self.piece.shape[::-1], self.piece.strides[::-1], strict=True):
            strides.append(inside if length == 1 else abs(stride))
            inside = strides[-1] * length
        return strides[::-1]

    def _gaps(self, order: Sequence[int], strides: Sequence[int]) -> list[int]:
        """Return how many entries lie before the array along each stored axis but the first.

        An array whose rows do not follow each other was cut out of a wider one.
        """
        gaps = [0] * len(order)
        for axis, (outer, inner) in enumerate(pairwise(order), 1):
            wide = strides[outer] // strides[inner]
            gaps[axis] = min(max(wide - self.values.shape[inner], 0), _WIDEST)
        return gaps

    def _fill(
        self,
        dialect: Dialect,
        order: Sequence[int],
        shape: Sequence[int],
        gaps: Sequence[int],
        numbers: Numbers,
    ) -> str | None:
        if self.overwritten:
            return dialect.constant(shape, 0, self.dtype)
        if self._is_constant:
            return dialect.constant(shape, self.values.flat[0], self.dtype)
        units = self._units_axis(order)
        if numbers == "exact" or not self.same or self.values.dtype.kind != "f":
            return self._exact(dialect, order, shape, gaps, units)
        low = (self.number / 4 - 1) if numbers == "simple" else (self.number + 1) / 8
        merged = units is None and self.layout is not None
        if units is None and math.prod(shape) > 1 and not merged:
            ramp = dialect.ramp(low, math.prod(shape), self.dtype)
            return ramp + _reshaped(shape)
        one = [1 if axis == units else length for axis, length in enumerate(shape)]
        if units is None or math.prod(one) == 1:
            return dialect.constant(shape, low, self.dtype)
        ramp = dialect.ramp(low, math.prod(one), self.dtype)
        return ramp + _reshaped(one) + dialect.repeat(shape[units], units)

    def _exact(
        self,
        dialect: Dialect,
        order: Sequence[int],
        shape: Sequence[int],
        gaps: Sequence[int],
        units: int | None,
    ) -> str | None:
        """List the recorded numbers, those of one unit only where all are the same."""
        stored = self.values.transpose(order)[tuple(slice(length) for length in shape)]
        if any(gaps):
            if self.piece.shape != self.values.shape:
                return None
            stored = np.pad(stored, [(gap, 0) for gap in gaps])
        repeat = ""
        if units is not None and self.same and self._only_units():
            stored = stored.take([-1], axis=units)  # behind what is cut off
            repeat = dialect.repeat(shape[units], units)
        if stored.size > _MOST_NUMBERS:
            return None
        return dialect.listed(stored, self.dtype) + repeat

    def _units_axis(self, order: Sequence[int]) -> int | None:
        """Return the stored axis of the hidden units, if they have one to themselves."""
        if self.layout is None or len(self.layout.axes) != 1:
            return None
        (axis,) = self.layout.axes
        return order.index(axis.number) if axis.outer == axis.inner == 1 else None

    def _only_units(self) -> bool:
        """Return whether the axis of the units holds nothing else."""
        layout = self.layout
        return layout is not None and layout.axes[0].before == layout.axes[0].after == 0


def _reshaped(shape: Sequence[int]) -> str:
    return "" if len(shape) == 1 else f".reshape({', '.join(map(str, shape))})"
