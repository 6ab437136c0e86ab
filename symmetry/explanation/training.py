"""Watching a training from a start with clones."""

from collections.abc import Iterator, Sequence

import numpy as np

from symmetry.explanation.starts import TapedStart, cloned
from symmetry.observe.tape import Tape
from symmetry.training.capabilities.observing import Recording
from symmetry.training.optimizer_state import find_copies, with_optimizer_state
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.state import Array, State
from symmetry.units.units import Part, Units
from symmetry.units.words import places_in_words

# In float32 more responses than the law allows, which takes the largest of 4 to 12 perturbed runs:
# here one perturbed run tells how far rounding moves an array.
_LIMITS = {"float32": 100.0, "float64": 1000.0}
_ORDER = "the order of the samples"  # a name that no array of a training has
_COARSE = {"float32": 1e-4, "float64": 1e-8}


def with_clones(training: TrainingStart, groups: Sequence[Units], shift: int) -> "TapedTraining":
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
    return TapedTraining(training, state, units)


def with_samples(training: TrainingStart, count: int) -> "TapedTraining":
    """Return a training whose units are the samples of its batches, in an order that is state."""
    state = {**training.begin(noise=False).state(), _ORDER: np.arange(count)}
    return TapedTraining(training, state, [Units("samples", count, (Part(_ORDER, axis=0),))])


class TapedTraining(TapedStart):
    """A training at a start in which units are equal, without the model's random operations."""

    def __init__(self, training: TrainingStart, start: State, units: Sequence[Units]) -> None:
        self.name, self.state, self.groups = training.target.name, start, units
        self.limit, self.coarse = _LIMITS[training.dtype], _COARSE[training.dtype]
        self._training = training

    def states(self, start: State, steps: int, tape: Tape | None = None) -> Iterator[State]:
        """Yield the state after each step of fresh objects."""
        arrays = {name: array for name, array in start.items() if name != _ORDER}
        run = self._training.begin(arrays, noise=False, order=start.get(_ORDER))
        self._recording = needed(run, Recording)
        for _ in range(steps):
            if tape is None:
                run.step()
            else:
                self._recording.record(tape)
            yield run.state()

    def named(self, array: Array, memory: int) -> tuple[str, str]:
        """Return the name of the tensor that an array lies in, and the rows that it holds."""
        known = self._recording.array_at(memory)
        return ("", "") if known is None else (known[0], _rows(array, known[1]))


def _rows(array: Array, whole: Array) -> str:
    """Say which rows or columns of an array another one is cut out of, if it is not all of it."""
    if array.size == whole.size or array.dtype != whole.dtype or not whole.flags.c_contiguous:
        return ""
    if not np.may_share_memory(array, whole):  # one is a copy, as those of bfloat16 are
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
