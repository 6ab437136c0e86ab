"""Arrays by where they lie in memory, whichever library they belong to."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Handle:
    """One array of a call.

    Attributes
    ----------
    values
        The numbers, as a view of the framework's own memory wherever that is possible.
    memory
        Address of the block of memory that the array is a part of: the same for all its views.
    alive
        Tells whether that block still exists: a later one may have the same address.
    """

    values: NDArray[Any]
    memory: int
    alive: Callable[[], bool]


@dataclass(frozen=True)
class Geometry:
    """How an array lies in memory; strides are in bytes, the address is that of its first entry."""

    address: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    dtype: np.dtype[Any]

    @classmethod
    def of(cls, values: NDArray[Any]) -> Geometry:
        """Return the geometry of an array."""
        return cls(address(values), values.shape, values.strides, values.dtype)

    @property
    def span(self) -> tuple[int, int]:
        """The addresses of its first byte and of the one behind its last."""
        reach = [(n - 1) * s for n, s in zip(self.shape, self.strides, strict=True)]
        low = self.address + sum(r for r in reach if r < 0)
        return low, self.address + sum(r for r in reach if r > 0) + self.dtype.itemsize

    def view(self) -> NDArray[Any]:
        """Return what is there; whoever calls this must keep the memory alive."""
        low, high = self.span
        content = memoryview((ctypes.c_uint8 * (high - low)).from_address(low))
        return np.ndarray(self.shape, self.dtype, content, self.address - low, self.strides)


def address(values: NDArray[Any]) -> int:
    """Return the address of the first entry."""
    return int(values.__array_interface__["data"][0])
