"""Watching a PyTorch training from a start with clones."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from symmetry.explanation.starts import cloned
from symmetry.explanation.watched import WatchedStart
from symmetry.observe.place import Places
from symmetry.observe.tape import Tape
from symmetry.torch.modes.recorder import observing
from symmetry.torch.run import TorchRun
from symmetry.training.optimizer_state import find_copies, with_optimizer_state
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array, State
from symmetry.units.units import Part, Units
from symmetry.units.words import places_in_words

# In float32 more responses than the law allows, which takes the largest of 4 to 12 perturbed runs:
# here one perturbed run tells how far rounding moves an array.
_LIMITS = {"float32": 100.0, "float64": 1000.0}
_ORDER = "the order of the samples"  # a name that no array of a training has
_COARSE = {"float32": 1e-4, "float64": 1e-8}


def with_clones(training: TrainingStart, groups: Sequence[Units], shift: int) -> "WatchedTraining":
    """Return a training at a start in which most units of each group are equal.

    Which units stay different is a matter of ``shift``: several shifts leave no unit out. They are
    others in each group, so that units of the same number in two groups have nothing else in
    common.
    """
    run = training.begin(noise=False)
    state = run.state()
    units = with_optimizer_state(groups, state, find_copies(state, run.trained))
    # Groups that lie inside one unit of another come first: the other one then copies them.
    inner = sorted(units, key=lambda group: not any(part.within for part in group.parts))
    for number, group in enumerate(inner):
        state = group.rearranged(state, cloned(group.count, shift + number))
    return WatchedTraining(training, state, units)


def with_samples(training: TrainingStart, count: int) -> "WatchedTraining":
    """Return a training whose units are the samples of its batches, in an order that is state."""
    state = {**training.begin(noise=False).state(), _ORDER: np.arange(count)}
    return WatchedTraining(training, state, [Units("samples", count, (Part(_ORDER, axis=0),))])


class WatchedTraining(WatchedStart):
    """A training at a start in which units are equal, without the model's random operations."""

    def __init__(self, training: TrainingStart, start: State, units: Sequence[Units]) -> None:
        self.name, self.state, self.groups = training.target.name, start, units
        self.limit, self.coarse = _LIMITS[training.dtype], _COARSE[training.dtype]
        self._training = training

    def states(self, start: State, steps: int, tape: Tape | None = None) -> Iterator[State]:
        """Yield the state after each step of fresh objects."""
        arrays = {name: array for name, array in start.items() if name != _ORDER}
        run = self._training.begin(arrays, noise=False, order=start.get(_ORDER))
        assert isinstance(run, TorchRun)  # the only framework whose operations are recorded
        self._run = run
        places = Places({id(module): name for name, module in run.objects.model.named_modules()})
        for _ in range(steps):
            with nullcontext() if tape is None else observing(tape, places):
                run.step()
            yield run.state()

    def named(self, array: Array, memory: int) -> tuple[str, str]:
        """Return the name of the tensor that an array lies in, and the rows that it holds."""
        held = {name.removeprefix("model."): t for name, t in self._run.arrays.tensors().items()}
        for name, parameter in self._run.parameters.items():
            if parameter.grad is not None:
                held[f"the gradient of {name.removeprefix('model.')}"] = parameter.grad
        for name, tensor in held.items():
            if tensor.untyped_storage().data_ptr() == memory:
                return name, _rows(array, tensor.detach())
        return "", ""


def _rows(array: Array, tensor: Any) -> str:
    """Say which rows or columns of a tensor an array is cut out of, if it is not all of it."""
    whole: Array = tensor.numpy()
    if array.size == whole.size or array.dtype != whole.dtype or not whole.flags.c_contiguous:
        return ""
    start = array.__array_interface__["data"][0] - whole.__array_interface__["data"][0]
    steps = [np.arange(n) * stride for n, stride in zip(array.shape, array.strides, strict=True)]
    offsets = start + sum(np.ix_(*steps), np.zeros(1, int))
    cut = [np.unique(places) for places in np.unravel_index(offsets // whole.itemsize, whole.shape)]
    return ", ".join(
        places_in_words(places.tolist(), axis)
        for axis, places in enumerate(cut)
        if len(places) < whole.shape[axis]
    )
