"""A training step, how it is called, and what it may return.

A step is anything that can be called as ``step(x, y, w1, w2, lr)`` and returns the new ``(w1,
w2)``. Changes of the arrays, of warnings and of NumPy's error settings are undone after each call:
only state that the step itself keeps reaches the next one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.base.calls import calling
from symmetry.base.errors import TargetError
from symmetry.base.raised import in_one_line, raised_as
from symmetry.units.compare import Floats
from symmetry.units.dtypes import DTYPES
from symmetry.units.words import a_kind

StepFunction = Callable[[Floats, Floats, Floats, Floats, float], Any]


@dataclass(frozen=True, eq=False)
class TwoLayerStep:
    """A two-layer step by name: how runs of it begin."""

    name: str  # as the user typed it, or ``module:attribute`` of a callable
    target: Callable[..., Any]  # or the class whose instances are called
    dtypes: tuple[str, ...] = DTYPES  # those that the step takes
    builtin: bool = False  # this project's own are meant to be exactly its formulas

    def start(self) -> TwoLayerRun:
        """Begin a training run: a class is instantiated, any other callable taken as it is.

        Raises TargetError if the class cannot be instantiated.
        """
        if not inspect.isclass(self.target):
            return TwoLayerRun(self.target)
        doing = f"{self.target.__name__}()"
        with calling("instance", counts=False), raised_as(TargetError, doing):
            instance: Any = self.target()
        return TwoLayerRun(instance)


@dataclass(frozen=True)
class Result:
    """The result of one step, and the state that it left behind."""

    w1: Floats  # the new weights: fresh arrays, shaped and typed like the old ones
    w2: Floats
    x: NDArray[Any]  # the arrays that were handed to the step, as it left them
    y: NDArray[Any]


@dataclass(frozen=True)
class TwoLayerRun:
    """One training run: its steps are taken one after the other by the same callable."""

    step: StepFunction

    def __call__(self, x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float) -> Result:
        """Take one step from copies of the arrays.

        They have the shapes (n, i), (n, c), (i + 1, h) and (h + 1, c) and one dtype.

        Raises TargetError if the step raises, or returns anything but two arrays of the shapes and
        the dtype of w1 and w2.
        """
        own_x, own_y, own_w1, own_w2 = (np.array(a, order="C") for a in (x, y, w1, w2))
        with calling(x.shape, w1.shape, w2.shape, w1.dtype):
            with raised_as(TargetError, "the step"):
                returned = self.step(own_x, own_y, own_w1, own_w2, float(lr))
            # Results may run code of their own: __len__, __array__.
            with raised_as(TargetError, "reading the results of the step"):
                new_w1, new_w2 = _two_values(returned)
                new_w1, new_w2 = _array_like(w1, new_w1, "w1"), _array_like(w2, new_w2, "w2")
            return Result(new_w1, new_w2, own_x, own_y)


def _two_values(returned: Any) -> tuple[Any, Any]:
    if not isinstance(returned, tuple | list):
        kind = "None" if returned is None else f"a value of type {type(returned).__name__}"
        raise TargetError(f"the step returned {kind}, expected two arrays (w1, w2)")
    if len(returned) != 2:
        raise TargetError(
            f"the step returned {a_kind(returned)} of length {len(returned)}, "
            "expected two arrays (w1, w2)"
        )
    return returned[0], returned[1]


def _array_like(old: Floats, new: Any, name: str) -> Floats:
    """Copy what the step returned for ``name``, provided that it is an array like ``old``."""
    if isinstance(new, np.ma.MaskedArray):
        raise TargetError(
            f"the step returned {name} as a masked array: whether masked entries are equal cannot "
            "be told, so return .data or .filled(...)"
        )
    try:
        array = np.asarray(new)
    except Exception as error:
        raise TargetError(
            f"the step returned {name} as {a_kind(new)} that NumPy cannot read: "
            f"{in_one_line(error)}"
        ) from error
    if array.shape != old.shape or array.dtype != old.dtype:
        kind = "" if isinstance(new, np.ndarray) else f" ({a_kind(new)})"
        raise TargetError(
            f"the step returned {name}{kind} with shape {array.shape} and dtype {array.dtype}, "
            f"expected shape {old.shape} and dtype {old.dtype}{_dtype_hint(old, array)}"
        )
    return np.array(array, order="C")


def _dtype_hint(old: NDArray[Any], new: NDArray[Any]) -> str:
    if new.dtype == old.dtype or str(new.dtype) not in DTYPES:
        return ""
    return (
        f"; a step that takes {new.dtype} only says so by an attribute: dtypes = ('{new.dtype}',)"
    )
