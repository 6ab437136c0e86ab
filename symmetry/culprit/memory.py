"""What is known of a block of memory, and which hidden units a view of it contains."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.culprit.geometry import Geometry, Handle, address
from symmetry.culprit.layout import Layout
from symmetry.culprit.suspect import Origin


@dataclass(frozen=True)
class Write:
    """Operation ``index`` wrote into some ``units`` of an array; None if nobody knows which."""

    index: int
    units: frozenset[int] | None
    position: int

    def touches(self, unit: int) -> bool:
        """Return whether it wrote into a unit, as far as one knows."""
        return self.units is None or unit in self.units


@dataclass(eq=False)
class Memory:
    """What is known of a block of memory, and of the array that it was first seen as."""

    geometry: Geometry
    alive: Callable[[], bool]
    layouts: tuple[Layout, ...]
    data: bool = True
    asymmetric: bool = False
    broken: bool = False  # by a suspect that was not repaired, which explains it
    maker: int | None = None
    met: int | None = None  # the operation that first had it as an operand, if nothing made it
    source: tuple[Origin, int | None] | None = None  # where it got its asymmetry from
    blank: bool = False
    writes: list[Write] = field(default_factory=list)
    held: Handle | None = None  # keeps it alive as long as writes have to be judged

    @property
    def origin(self) -> tuple[Origin, int | None]:
        """Where a difference between units comes from, and the operation that is named for it."""
        if self.source is not None:
            return self.source
        if self.maker is None:
            return "unseen", self.met
        if not self.layouts:
            return "cut", self.maker
        return "made" if self.asymmetric else "part", self.maker

    def touched(self, view: NDArray[Any]) -> frozenset[int] | None:
        """Return which units a view contains, None if all of them alike (or nobody knows)."""
        if not self.layouts or len(self.layouts[0].axes) == 2:
            return None
        if Geometry.of(view) == self.geometry:
            return None
        axis = self.layouts[0].axes[0]
        numbers = _positions(view, self.geometry, axis.number)
        if numbers is None:
            return None
        units = {(n // axis.inner) % axis.length - axis.before for n in numbers}
        inside = frozenset(unit for unit in units if 0 <= unit < axis.count)
        evenly = len(inside) == axis.count and view.size % axis.count == 0
        return None if evenly else inside


def _positions(view: NDArray[Any], whole: Geometry, axis: int) -> set[int] | None:
    """Return which indices along ``axis`` of an array a view of it takes; None if that is unclear.

    The array must be dense; the address of an entry then tells its index.
    """
    expected = whole.dtype.itemsize
    for stride, length in sorted(zip(whole.strides, whole.shape, strict=True)):
        if length > 1 and stride != expected:
            return None
        expected *= length
    start = address(view) - whole.address
    if start < 0 or view.dtype != whole.dtype:
        return None
    step, period = whole.strides[axis], whole.strides[axis] * whole.shape[axis]
    inner = [(n, s) for n, s in zip(view.shape, view.strides, strict=True) if 0 < s < step]
    carried = start % step + sum((n - 1) * s for n, s in inner) >= step
    offsets = np.array([start])
    for length, stride in zip(view.shape, view.strides, strict=True):
        if carried or not 0 < stride < step:  # else it does not leave the index along the axis
            offsets = np.unique((offsets[:, None] + np.arange(length) * stride) % period)
    return set(np.unique(offsets // step).tolist())
