"""Python lines that make an operand anew: the same layout in memory, simpler numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from symmetry.explain.layout import Layout
from symmetry.explain.snapshot import Piece

Array = NDArray[Any]
Numbers = Literal["simple", "positive", "exact"]

_MOST_NUMBERS = 64  # that a script may list
_WIDEST = 64  # entries to cut off from an axis


@dataclass(frozen=True)
class Dialect:
    """How to write array code for one library."""

    module: str

    @property
    def imports(self) -> str:
        """The first line of a script."""
        return "import numpy as np" if self.module == "numpy" else "import torch"

    def dtype(self, name: str) -> str:
        """Return a dtype as an argument."""
        return f'"{name}"' if self.module == "numpy" else f"torch.{name}"

    def constant(self, shape: Sequence[int], value: Any, dtype: str) -> str:
        """Return an array full of one value."""
        if value in (0, 1):
            make = f"zeros({_tuple(shape)}" if value == 0 else f"ones({_tuple(shape)}"
        else:
            make = f"full({_tuple(shape)}, {_number(value)}"
        return f"{self._prefix}.{make}, dtype={self.dtype(dtype)})"

    def listed(self, values: Array, dtype: str) -> str:
        """Return an array of the very numbers."""
        text = _nested(values)
        make = "np.array" if self.module == "numpy" else "torch.tensor"
        return f"{make}({text}, dtype={self.dtype(dtype)})"

    def ramp(self, low: float, count: int, dtype: str) -> str:
        """Return evenly spaced numbers up to 1."""
        return f"{self._prefix}.linspace({low:g}, 1, {count}, dtype={self.dtype(dtype)})"

    def repeat(self, count: int, axis: int) -> str:
        """Return the method call that repeats entries along an axis."""
        method = "repeat" if self.module == "numpy" else "repeat_interleave"
        return f".{method}({count}, {axis})"

    def permuted(self, order: Sequence[int]) -> str:
        """Return what turns axes stored in ``order`` into axes as they are used."""
        inverse = [order.index(axis) for axis in range(len(order))]
        if inverse == list(range(len(order))):
            return ""
        if inverse == [1, 0]:
            return ".T"
        method = "transpose" if self.module == "numpy" else "permute"
        return f".{method}({', '.join(map(str, inverse))})"

    def units_first(self, name: str, axis: int) -> str:
        """Return an array with the axis of the hidden units moved to the front."""
        if axis == 0:
            return name
        if self.module == "numpy":
            return f"np.moveaxis({name}, {axis}, 0)"
        return f"{name}.movedim({axis}, 0)"

    @property
    def differs(self) -> str:
        """The condition that unit ``u`` differs from the first one."""
        return (
            "not np.array_equal(units[u], units[0])"
            if self.module == "numpy"
            else "not torch.equal(units[u], units[0])"
        )

    @property
    def seed(self) -> str:
        """The line that makes random numbers repeatable."""
        return "np.random.seed(0)" if self.module == "numpy" else "torch.manual_seed(0)"

    @property
    def _prefix(self) -> str:
        return "np" if self.module == "numpy" else "torch"


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

    def write(self, dialect: Dialect, sizes: Mapping[int, int], numbers: Numbers) -> str | None:
        """Return an expression that makes it with other sizes, or None if that would be long."""
        shape: list[int] = [sizes.get(size, size) for size in self.values.shape]
        strides = self._strides()
        if 0 in strides:
            return None
        order = sorted(range(len(shape)), key=lambda axis: -strides[axis])
        stored = [shape[axis] for axis in order]
        gaps = self._gaps([strides[axis] for axis in order], [self.values.shape[a] for a in order])
        cut = ", ".join(f"{gap}:" if gap else ":" for gap in gaps)
        whole = [length + gap for length, gap in zip(stored, gaps, strict=True)]
        text = self._fill(dialect, order, whole, gaps, numbers)
        return text and text + (f"[{cut}]" if any(gaps) else "") + dialect.permuted(order)

    def _strides(self) -> list[int]:
        """Return how far apart entries are; an axis of length 1 gets what fits its neighbours."""
        strides, inside = [], self.piece.dtype.itemsize
        for length, stride in zip(self.piece.shape[::-1], self.piece.strides[::-1], strict=True):
            strides.append(inside if length == 1 else abs(stride))
            inside = strides[-1] * length
        return strides[::-1]

    @staticmethod
    def _gaps(strides: Sequence[int], lengths: Sequence[int]) -> list[int]:
        """Return how many entries lie before the array along each stored axis but the first.

        An array whose rows do not follow each other was cut out of a wider one.
        """
        gaps = [0] * len(strides)
        for axis in range(1, len(strides)):
            gaps[axis] = min(max(strides[axis - 1] // strides[axis] - lengths[axis], 0), _WIDEST)
        return gaps

    def _fill(
        self,
        dialect: Dialect,
        order: Sequence[int],
        shape: Sequence[int],
        gaps: Sequence[int],
        numbers: Numbers,
    ) -> str | None:
        flat = self.values.ravel()
        if self.overwritten:
            return dialect.constant(shape, 0, self.dtype)
        if (flat == flat[0]).all():
            return dialect.constant(shape, flat[0], self.dtype)
        units = self._units_axis(order)
        if numbers == "exact" or not self.same or self.values.dtype.kind != "f":
            return self._exact(dialect, order, shape, gaps, units)
        low = (self.number / 4 - 1) if numbers == "simple" else (self.number + 1) / 8
        if units is None:
            ramp = dialect.ramp(low, math.prod(shape), self.dtype)
            return ramp + _reshaped(shape)
        one = [1 if axis == units else length for axis, length in enumerate(shape)]
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


def as_index(root: Piece, part: Piece) -> str | None:
    """Return the index that cuts ``part`` out of ``root``, for instance ``[:, 3]``; None if none.

    Both lie in the same block of memory.
    """
    if part == root:
        return ""
    rest = part.offset - root.offset
    starts: dict[int, int] = {}
    for axis in sorted(range(len(root.shape)), key=lambda axis: -root.strides[axis]):
        if root.strides[axis] <= 0 or rest < 0:
            return None
        starts[axis], rest = divmod(rest, root.strides[axis])
    key: list[int | slice] = [starts[axis] for axis in range(len(root.shape))]
    axis = 0
    for length, stride in zip(part.shape, part.strides, strict=True):
        while axis < len(root.shape) and not _runs(root, axis, starts[axis], length, stride):
            axis += 1
        if axis == len(root.shape):
            return None
        step = max(1, stride // root.strides[axis])
        key[axis] = slice(starts[axis], starts[axis] + (length - 1) * step + 1, step)
        axis += 1
    room = np.empty(root.offset + _extent(root), np.uint8)
    cut = root.of([room])[tuple(key)]
    there = cut.__array_interface__["data"][0] - room.__array_interface__["data"][0]
    if (there, cut.shape, cut.strides) != (part.offset, part.shape, part.strides):
        return None
    return f"[{', '.join(_index(k, n) for k, n in zip(key, root.shape, strict=True))}]"


def _extent(piece: Piece) -> int:
    reach = sum((n - 1) * s for n, s in zip(piece.shape, piece.strides, strict=True))
    return reach + piece.dtype.itemsize


def _runs(root: Piece, axis: int, start: int, length: int, stride: int) -> bool:
    """Return whether a view's axis can run along this axis of the root."""
    step, rest = divmod(stride, root.strides[axis])
    return rest == 0 and step >= 1 and start + (length - 1) * step < root.shape[axis]


def _index(key: int | slice, length: int) -> str:
    if isinstance(key, int):
        return str(key)
    start = str(key.start) if key.start else ""
    stop = "" if key.stop + key.step > length else str(key.stop)
    return f"{start}:{stop}" + (f":{key.step}" if key.step != 1 else "")


def _reshaped(shape: Sequence[int]) -> str:
    return "" if len(shape) == 1 else f".reshape({', '.join(map(str, shape))})"


def _tuple(shape: Sequence[int]) -> str:
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"


def _nested(values: Array) -> str:
    if values.ndim == 0:
        return _number(values[()])
    return f"[{', '.join(map(_nested, values))}]"


def _number(value: Any) -> str:
    """Write a number with as many digits as its dtype needs to be that very number."""
    text = str(value)
    return f'float("{text}")' if text in ("nan", "inf", "-inf") else text
