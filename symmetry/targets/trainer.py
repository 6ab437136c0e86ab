"""A training step, how it is called, and what it may return.

A step is anything that can be called as ``step(x, y, w1, w2, lr)`` and returns the new
``(w1, w2)``. What it does with the arrays, with warnings and with NumPy's error settings stays its
own business: nothing leaks from one call to the next but what the step itself keeps.
"""

from __future__ import annotations

import inspect
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.observe.place import is_user_code
from symmetry.targets.pulse import calling
from symmetry.units.compare import Floats
from symmetry.units.words import a_kind

DTYPES = ("float32", "float64")

Step = Callable[[Floats, Floats, Floats, Floats, float], Any]


class TrainerError(Exception):
    """The step raised, or did not return two arrays of the right shapes and dtype.

    The message is one readable line; what the step raised is kept as ``__cause__``.
    """


@dataclass(frozen=True, eq=False)
class Trainer:
    """A training step by name."""

    name: str  # as the user typed it, or ``module:attribute`` of a callable
    target: Callable[..., Any]  # or the class whose instances are called
    dtypes: tuple[str, ...] = DTYPES  # those that the step takes
    builtin: bool = False  # this project's own are meant to be exactly its formulas

    def start(self) -> Run:
        """Begin a training run: a class is instantiated, any other callable taken as it is.

        That the class cannot be instantiated is a ``TrainerError``.
        """
        if not inspect.isclass(self.target):
            return Run(self.target)
        doing = f"{self.target.__name__}()"
        with calling("instance", counts=False), told_as(TrainerError, doing):
            instance: Any = self.target()
        return Run(instance)


@dataclass(frozen=True)
class Result:
    """What one step returned, and what it left behind."""

    w1: Floats  # the new weights: fresh arrays, shaped and typed like the old ones
    w2: Floats
    x: NDArray[Any]  # the arrays that were handed to the step, as it left them
    y: NDArray[Any]


@dataclass(frozen=True)
class Run:
    """One training run: its steps are taken one after the other by the same callable."""

    step: Step

    def __call__(self, x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float) -> Result:
        """Take one step from copies of the arrays.

        They have the shapes (n, i), (n, c), (i + 1, h) and (h + 1, c) and one dtype. That the step
        raises, or returns anything but two arrays like w1 and w2, is a ``TrainerError``.
        """
        own_x, own_y, own_w1, own_w2 = (np.array(a, order="C") for a in (x, y, w1, w2))
        with calling(x.shape, w1.shape, w2.shape, w1.dtype):
            with told_as(TrainerError, "the step"):
                returned = self.step(own_x, own_y, own_w1, own_w2, float(lr))
            # Results may run code of their own: __len__, __array__.
            with told_as(TrainerError, "reading what the step returned"):
                new_w1, new_w2 = _two_values(returned)
                new_w1, new_w2 = _array_like(w1, new_w1, "w1"), _array_like(w2, new_w2, "w2")
            return Result(new_w1, new_w2, own_x, own_y)


@contextmanager
def quiet() -> Iterator[None]:
    """Silence warnings and floating-point errors, and restore both whatever happens inside."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        yield


@contextmanager
def told_as(
    kind: type[Exception], doing: str, hint: Callable[[str], str] = lambda _: ""
) -> Iterator[None]:
    """Turn what the user's code raises, ``SystemExit`` included, into a line that says where.

    It runs ``quiet``.
    """
    try:
        with quiet():
            yield
    except (KeyboardInterrupt, kind):
        raise
    except BaseException as error:
        text = in_one_line(error)
        raise kind(f"{doing} raised {text}{place_of(error)}{hint(text)}") from error


def in_one_line(error: BaseException) -> str:
    """Return ``TypeName: message``, cut to the first line of the message and to 200 characters.

    The message may be anything: making it may raise, and it may hold what cannot be printed.
    """
    try:
        text = next(iter(str(error).strip().splitlines()), "")
    except (KeyboardInterrupt, MemoryError):
        raise
    except BaseException as another:
        text = f"(its message cannot be read: {type(another).__name__})"
    text = text.encode(errors="backslashreplace").decode()
    if len(text) > 200:
        text = text[:197] + "..."
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def place_of(error: BaseException) -> str:
    """Return "(file, line)" of the user's innermost frame: nobody gets to see the traceback."""
    places = [
        (Path(frame.f_code.co_filename), line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if is_user_code(frame.f_code.co_filename)
    ]
    return f" ({places[-1][0].name}, line {places[-1][1]})" if places else ""


def _two_values(returned: Any) -> tuple[Any, Any]:
    if not isinstance(returned, tuple | list):
        kind = "None" if returned is None else f"a value of type {type(returned).__name__}"
        raise TrainerError(f"the step returned {kind}, expected two arrays (w1, w2)")
    if len(returned) != 2:
        raise TrainerError(
            f"the step returned {a_kind(returned)} of length {len(returned)}, "
            "expected two arrays (w1, w2)"
        )
    return returned[0], returned[1]


def _array_like(old: Floats, new: Any, name: str) -> Floats:
    """Copy what the step returned for ``name``, provided that it is an array like ``old``."""
    if isinstance(new, np.ma.MaskedArray):
        raise TrainerError(
            f"the step returned {name} as a masked array: whether masked entries are equal cannot "
            "be told, so return .data or .filled(...)"
        )
    try:
        array = np.asarray(new)
    except Exception as error:
        raise TrainerError(
            f"the step returned {name} as {a_kind(new)} that NumPy cannot read: "
            f"{in_one_line(error)}"
        ) from error
    if array.shape != old.shape or array.dtype != old.dtype:
        kind = "" if isinstance(new, np.ndarray) else f" ({a_kind(new)})"
        raise TrainerError(
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
