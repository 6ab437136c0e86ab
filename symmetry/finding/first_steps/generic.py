"""A generic start: all units are different, and few are dead.

A start of zeros, for instance, would accept any exchange.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from symmetry.base.errors import TrainingError
from symmetry.finding.first_steps.gradients import ReceivedGradients, observe_gradients
from symmetry.finding.first_steps.losses import STEPS, LossSteps
from symmetry.units.state import Array, State

_SCALES = 0.1, 0.01  # of smaller moves, if a move of scale 1 goes too far
_ALIVE = 0.75  # how far biases grow, relative to a random number, so that units are alive
_LEAST = 1e-9  # relative to the largest: smaller gradients change a loss by rounding only
_REVIVALS = 3  # times that the biases of dead units grow once more


def generic_start(
    steps: LossSteps, start: State, names: Collection[str]
) -> tuple[State, ReceivedGradients]:
    """Return the generic start at which most entries receive a gradient, with these gradients.

    Dead units, as those of a ReLU may be, hide which slices they have. If two starts that are far
    from each other agree on the entries, no other start is tried. ``names`` are the arrays to move.
    """
    best, most = start, ReceivedGradients({}, {}, STEPS, ())
    for moved in _candidates(start, names):
        gradients = gradients_at(steps, moved)
        if gradients is None:
            continue
        agreed = gradients.count > 0 and gradients.has_same_entries(most)
        if best is start or gradients.count > most.count:
            best, most = moved, gradients
        if agreed or most.everywhere:
            return best, most
    for _ in range(_REVIVALS):
        moved = _revived(best, most.entries)
        gradients = gradients_at(steps, moved)
        if gradients is None or gradients.count <= most.count:
            break
        best, most = moved, gradients
    return best, most


def gradients_at(steps: LossSteps, start: State) -> ReceivedGradients | None:
    """Return the gradients from a start that are no rounding; None if losses are not finite."""
    if not steps.take(start).finite:
        return None
    try:
        return steps.with_run(partial(observe_gradients, least=_LEAST), start)
    except TrainingError:  # an update may refuse the state that comes of this start
        return ReceivedGradients({}, {}, STEPS, ())


def _candidates(start: State, names: Collection[str]) -> Iterator[State]:
    """Yield starts with some arrays moved at random.

    A large move may make all samples select one expert; after a small one units hardly matter. In
    the second start, small matrices and large biases keep a ReLU from switching units off.
    """
    yield _moved(start, names, 1.0)
    random = np.random.default_rng(1)
    alive = _moved(start, names, 1.0)
    for name in (name for name in start if name in names):
        array, more = alive[name], 0.5 + abs(random.standard_normal(start[name].shape))
        alive[name] = array + _ALIVE * more if array.ndim == 1 else array / 2
    yield alive
    for scale in _SCALES:
        yield _moved(start, names, scale)


def _moved(start: State, names: Collection[str], scale: float) -> dict[str, Array]:
    """Return the start with some arrays moved at random.

    Vectors, which may be biases, grow: a ReLU then switches fewer units off. Small matrices grow,
    too: with weights of 0.02, attention heads hardly differ in the loss.
    """
    random = np.random.default_rng(0)
    moved = dict(start)
    for name in (name for name in start if name in names):
        array = start[name]
        factor = 1 + scale * random.uniform(-0.3, 0.3, array.shape)
        more = scale * abs(random.standard_normal(array.shape))
        if array.ndim > 1 and array.any():
            usual = 1 / math.sqrt(array[0].size)  # as layers are initialised
            factor *= max(1.0, usual / math.sqrt(np.mean(abs(array) ** 2))) ** scale
        moved[name] = array * factor + more * (0.4 if array.ndim == 1 else 0.05 * (array == 0))
    return moved


def _revived(start: State, alive: Mapping[str, NDArray[np.bool_]]) -> State:
    """Return the start with larger entries of vectors that receive no gradient.

    Such an entry is the bias of a dead unit.
    """
    return {
        name: array + ~alive[name] if array.ndim == 1 and name in alive else array
        for name, array in start.items()
    }
