"""Recording the operations of a run's steps as a trace."""

from __future__ import annotations

from collections.abc import Callable, Container

from torch import Tensor

from symmetry.torch.modes.recorder import Recorder
from symmetry.torch.parts.arrays import Arrays
from symmetry.torch.parts.step_events import TorchStepEvents
from symmetry.torch.state import as_array
from symmetry.torch.trace import Tracer
from symmetry.training.capabilities.rehearsing import Tracing
from symmetry.training.trace import Trace, weights
from symmetry.units.state import Array


class TorchTracing(Tracing):
    """Records the operations of a run's steps."""

    def __init__(self, arrays: Arrays, events: TorchStepEvents) -> None:
        self._arrays, self._events = arrays, events

    def leaves(self, names: Container[str] | None = None) -> dict[str, Array]:
        """Return copies of the model's parameters and buffers, or of the ones with these names."""
        return {name: as_array(tensor) for name, tensor in self._arrays.leaves(names).items()}

    def trace(self, names: Container[str], step: Callable[[], None], steps: int) -> Trace:
        """Return the trace of several steps, each taken by a call of ``step``."""
        tracer = Tracer(self._arrays.leaves(names))
        losses: list[Tensor] = []
        with Recorder(tracer):
            for _ in range(steps):
                step()
                losses += self._events.losses
        weighted = [*zip(losses, weights(len(losses)), strict=True)]
        return tracer.end(weighted, self._arrays.leaves(names))
