"""Norms of what the jitted functions of a script return, call by call.

call 1    {"result 0 of step": ("~1.25 3.5",), "result 0 of initialise": ("~3.0 3.0",)}
call 2    {"result 0 of step": ("~1.26 3.5",)}
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from symmetry.base.updates import FEW, UpdateLog, sized
from symmetry.jax.script.jitted import Jitted
from symmetry.jax.script.jitting import Jitting

_CALLS = 64  # of one function, that are recorded at most


class OutputLog:
    """Adds the results of functions to a log, until one was called a few times with its own.

    Parameters
    ----------
    log
        Where they are added.
    """

    def __init__(self, log: UpdateLog) -> None:
        log.most = _CALLS + 1
        self._log, self._done = log, False
        self._calls, self._fed = Counter[str](), Counter[str]()
        self._last: dict[str, Sequence[Any]] = {}

    def see(self, name: str, arguments: Sequence[Any], results: Sequence[Any]) -> None:
        """See a call of a function: the leaves of its arguments, and of its results."""
        number = self._calls[name]
        if self._done or number >= _CALLS:
            return
        self._calls[name] += 1
        own = {id(leaf) for leaf in self._last.get(name, ())}
        self._fed[name] += any(id(leaf) in own for leaf in arguments)
        self._last[name] = results
        while len(self._log.updates) <= number:
            self._log.updates.append({})
        arrays = [*map(_array, results)]
        largest = max((_norm(array) for array in arrays if _may_be_small(array)), default=0.0)
        digests = {
            f"result {n} of {name}": (_digest(array, largest),) for n, array in enumerate(arrays)
        }
        self._log.updates[number] = {**self._log.updates[number], **digests}
        if self._fed[name] >= FEW:
            self._done = True
            self._log.full()


class RecordedOutputs(Jitting):
    """Jits functions as ``jax.jit`` does in a plain run, and adds the results of calls to a log.

    Parameters
    ----------
    outputs
        The log.
    """

    def __init__(self, outputs: OutputLog) -> None:
        super().__init__()
        self._outputs = outputs

    def _recorded(
        self,
        jitted: Jitted,
        arguments: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        returned = jitted.call(*args, **kwargs)
        self._outputs.see(jitted.name, jax.tree.leaves(arguments), jax.tree.leaves(returned))
        return returned


def _array(result: Any) -> np.ndarray | None:
    """Return a result as an array of numbers; None if it has no numbers."""
    try:
        array = np.asarray(result)
    except Exception:  # keys of random numbers, or what was donated
        return None
    return array if array.dtype.kind in "biuf" else None


def _may_be_small(array: np.ndarray | None) -> bool:
    """Return whether rounding may be all that is in an array: not in a loss, nor in a count."""
    return array is not None and array.ndim > 0 and array.dtype.kind == "f"


def _norm(array: np.ndarray | None) -> float:
    return 0.0 if array is None else float(np.linalg.norm(array.astype(np.float64)))


def _digest(array: np.ndarray | None, largest: float) -> str:
    """Return the norm of an array: in two traces of a function XLA fuses operations otherwise.

    It is empty for what is no array of numbers.
    """
    if array is None:
        return ""
    return sized(_norm(array), largest if _may_be_small(array) else 0.0)
