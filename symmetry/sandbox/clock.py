"""The time that a script sees: it stands still while the script is suspended."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import wraps

from symmetry.base.user_code import is_user_code

_SECONDS = ("time", "monotonic", "perf_counter")
_now = time.perf_counter_ns


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
