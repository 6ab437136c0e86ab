"""A PyTorch training as the setting of an explanation."""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from symmetry.culprit.plant import cloned
from symmetry.culprit.setting import Setting
from symmetry.observe.place import Places
from symmetry.observe.tape import Tape
from symmetry.observe.torch import observing
from symmetry.trainings.following import following, frozen_copies
from symmetry.trainings.torch.run import TorchRun
from symmetry.trainings.training import TrainingTarget
from symmetry.units.state import Array, State
from symmetry.units.units import Units
from symmetry.units.words import places_in_words

_LIMITS = {"float32": 100.0, "float64": 1000.0}
_COARSE = {"float32": 1e-4, "float64": 1e-8}


class WatchedTraining(Setting):
    """A training from a start in which most units of each group are equal.

    In float32 it is as written, in float64 promoted. Which units stay different is a matter of
    ``shift``: several shifts leave no unit out. They are others in each group, so that units of the
    same number in two groups have not more in common than that.
    """

    def __init__(
        self,
        training: TrainingTarget,
        units: Sequence[Units],
        *,
        dtype: str,
        shift: int = 0,
        seed: int = 0,
    ) -> None:
        self.name, self.limit, self.coarse = training.name, _LIMITS[dtype], _COARSE[dtype]
        self.remarks: list[str] = []
        self._training, self._dtype, self._seed = training, dtype, seed
        run = self._begin()
        state = run.state()
        copies = frozen_copies(state, run.trained)
        self.units: Sequence[Units] = following(units, state, copies)
        # Groups that lie inside one unit of another come first: the other one then copies them.
        inner = sorted(self.units, key=lambda group: not any(part.where for part in group.parts))
        for number, group in enumerate(inner):
            state = group.rearranged(state, cloned(group.count, shift + number))
        self.start: State = state

    def states(self, start: State, steps: int, tape: Tape | None = None) -> Iterator[State]:
        """Yield the state after each step of fresh objects."""
        self._run = run = self._begin()
        run.load(start)
        places = Places({id(module): name for name, module in run.model.named_modules()})
        for _ in range(steps):
            with nullcontext() if tape is None else observing(tape, places):
                run.step()
            yield run.state()

    def named(self, array: Array, memory: int) -> tuple[str, str]:
        """Return the name of the tensor that an array lies in, and the rows that it holds."""
        held = {name.removeprefix("model."): t for name, t in self._run.tensors().items()}
        for name, parameter in self._run.parameters.items():
            if parameter.grad is not None:
                held[f"the gradient of {name.removeprefix('model.')}"] = parameter.grad
        for name, tensor in held.items():
            if tensor.untyped_storage().data_ptr() == memory:
                return name, _rows(array, tensor.detach())
        return "", ""

    def _begin(self) -> TorchRun:
        run = self._training.start(dtype=self._dtype, seed=self._seed, noise=False)
        assert isinstance(run, TorchRun)  # the only framework whose operations are recorded
        return run


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
