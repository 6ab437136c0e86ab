"""The time that a script sees: it stands still while the script is suspended, or leaps."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from random import Random

from symmetry.base.patches import patched
from symmetry.base.user_code import is_user_code

_SECONDS = ("time", "monotonic", "perf_counter")
_now = time.perf_counter_ns
_LEAP = 50_000_000  # nanoseconds: longer than what a script times to choose the quicker of two


class Clock:
    """Lets the functions of ``time`` leave out what a script has waited, for the user's own code.

    A loop that ends after some seconds would else end after a few steps. Libraries get the true
    time: their imports outlive the script.
    """

    def __init__(self) -> None:
        self._waited = 0  # nanoseconds
        self._stopped: int | None = _now()

    def turn(self) -> None:
        """Let it go on if it stands still, and else let it stand still."""
        if self._stopped is None:
            self._stopped = _now()
        else:
            self._waited += _now() - self._stopped
            self._stopped = None

    def functions(self) -> Iterator[tuple[str, Callable[[], float]]]:
        """Yield the names of functions of ``time``, and what stands for them."""
        for name in _SECONDS:
            yield name, self._own(getattr(time, name), 1e-9)
            yield f"{name}_ns", self._own(getattr(time, f"{name}_ns"), 1)

    def _own(self, true: Callable[[], float], unit: float) -> Callable[[], float]:
        @wraps(true)
        def own() -> float:
            asked_by = sys._getframe(1).f_code.co_filename
            return true() - self._waited * unit if is_user_code(asked_by) else true()

        return own


@contextmanager
def leaping(seed: int) -> Iterator[None]:
    """Let time leap ahead by a random distance whenever it is read.

    A script that is another one then depends on how long its lines take.
    """
    random, leapt = Random(seed), 0

    def leaps(true: Callable[[], float], unit: float) -> Callable[[], float]:
        def later() -> float:
            nonlocal leapt
            leapt += random.randrange(_LEAP)
            return true() + (leapt if unit == 1 else leapt * unit)

        return later

    names = [(name, 1e-9) for name in _SECONDS] + [(f"{name}_ns", 1) for name in _SECONDS]
    with patched([(time, name, leaps(getattr(time, name), unit)) for name, unit in names]):
        yield
