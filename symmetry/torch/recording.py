"""Recording the steps of a run on a tape."""

from __future__ import annotations

from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.torch.modes.recorder import array_of, observing
from symmetry.torch.parts.arrays import Arrays
from symmetry.training.capabilities.observing import Recording
from symmetry.training.run import Run
from symmetry.units.state import Array


class TorchRecording(Recording):
    """Records every operation that reaches the dispatcher in a run's steps."""

    def __init__(self, run: Run, arrays: Arrays) -> None:
        self._run, self._arrays = run, arrays
        modules = arrays.objects.model.named_modules()
        self._places = SourceLines({id(module): name for name, module in modules})

    def record(self, tape: Tape) -> None:
        """Take the next step; the tape gets each operation on tensors."""
        with observing(tape, self._places):
            self._run.step()

    def array_at(self, memory: int) -> tuple[str, Array] | None:
        """Return name and entries of the tensor, or the gradient, in a block of memory."""
        tensors = {n.removeprefix("model."): t for n, t in self._arrays.tensors().items()}
        for name, parameter in self._arrays.parameters.items():
            if parameter.grad is not None:
                tensors[f"the gradient of {name.removeprefix('model.')}"] = parameter.grad
        for name, tensor in tensors.items():
            if tensor.untyped_storage().data_ptr() == memory:
                return name, array_of(tensor)
        return None
