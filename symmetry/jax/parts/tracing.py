"""Recording the operations of a run's steps as a trace."""

from __future__ import annotations

from collections.abc import Callable, Container

import jax

from symmetry.jax.jaxprs.recorder import JaxprRecorder
from symmetry.jax.leaves import as_array
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.rehearsing import Tracing
from symmetry.training.trace import Trace
from symmetry.units.state import Array


class JaxTracing(Tracing):
    """Records the operations of a run's steps."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def leaves(self, names: Container[str] | None = None) -> dict[str, Array]:
        """Return copies of the parameters and buffers, or of the ones with these names."""
        leaves = self._stepper.leaves
        return {
            name: as_array(leaves.values[number])
            for name, number in leaves.places.items()
            if (name.startswith("model.") if names is None else name in names)
        }

    def trace(self, names: Container[str], step: Callable[[], None], steps: int) -> Trace:
        """Return the trace of several steps, each taken by a call of ``step``."""
        with jax.enable_x64(True):
            recorder = JaxprRecorder(self.leaves(names))
            self._stepper.recorder = recorder
            try:
                for _ in range(steps):
                    step()
            finally:
                self._stepper.recorder = None
            return recorder.end()
