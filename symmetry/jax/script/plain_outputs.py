"""The results of jitted functions in the process of a plain run; JAX is not imported here."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack

from symmetry.base.importing import when_imported
from symmetry.base.updates import UpdateLog

_to_the_end = ExitStack()  # of the process: what is freed records no more


def record_plainly(
    log: UpdateLog, seed: int, around: Callable[[], AbstractContextManager[None]]
) -> None:
    """Record the first calls of a process in which JAX is still to be imported."""

    def begin() -> None:
        if hasattr(sys.modules["jax"], "jit"):  # else a file of the user's has this name
            from symmetry.jax.script.outputs import OutputLog, RecordedOutputs

            _to_the_end.enter_context(around())
            _to_the_end.enter_context(RecordedOutputs(OutputLog(log)).watching())

    del seed  # keys are made by the script
    when_imported("jax", begin)
