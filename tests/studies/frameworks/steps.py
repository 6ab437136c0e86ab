"""Steps for a worker to load by file name, good and bad."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

import numpy as np

from symmetry.network.formulas import step


def sound(*arguments: Any) -> Any:
    print("what a step prints must not end up among the answers")
    return step(*arguments)


def last_unit(*arguments: Any) -> Any:
    """Round the last row of w2 differently."""
    w1, w2 = step(*arguments)
    w2[-1] = np.nextafter(w2[-1], w2.dtype.type(np.inf), dtype=w2.dtype)
    return w1, w2


class Third:
    """Fails in its third step."""

    def __init__(self) -> None:
        self._steps = 0

    def __call__(self, *arguments: Any) -> Any:
        self._steps += 1
        if self._steps == 3:
            raise ValueError("three is too many")
        return step(*arguments)


def dies(*_: Any) -> Any:
    print("about to die", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


def variable(x: Any, y: Any, w1: Any, w2: Any, lr: Any) -> Any:
    """Show what the environment says in a way that can be read from the weights."""
    return w1, w2 + w2.dtype.type(os.environ["SOME_NUMBER"])


def explodes(x: Any, y: Any, w1: Any, w2: Any, lr: Any) -> Any:
    return (w1 + 1) * w1.dtype.type(1e30), w2


def only32(*arguments: Any) -> Any:
    return step(*arguments)


only32.dtypes = ("float32",)  # type: ignore[attr-defined]


class one_ulp:  # noqa: N801
    """Take symmetric steps by loops that treat all units alike, but round one weight once."""

    def __init__(self) -> None:
        self._steps = 0

    def __call__(self, x: Any, y: Any, w1: Any, w2: Any, lr: Any) -> Any:
        from symmetry.network.core import step

        self._steps += 1
        w1, w2 = step(x, y, w1, w2, lr)
        if self._steps == 2:
            w2[-1, 0] = np.nextafter(w2[-1, 0], np.inf)
        return w1, w2
