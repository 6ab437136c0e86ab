"""How to write array code for NumPy and for PyTorch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

Array = NDArray[Any]


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

    def differ(self, one: str, other: str) -> str:
        """Return the condition that two arrays do not hold the same numbers."""
        equal = "np.array_equal" if self.module == "numpy" else "torch.equal"
        return f"not {equal}({one}, {other})"

    @property
    def seed(self) -> str:
        """The line that makes random numbers repeatable."""
        return "np.random.seed(0)" if self.module == "numpy" else "torch.manual_seed(0)"

    @property
    def _prefix(self) -> str:
        return "np" if self.module == "numpy" else "torch"


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
