"""A generic start: all units are different, and few are dead.

A start of zeros, for instance, would accept any exchange.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain, islice

import numpy as np
from numpy.typing import NDArray

from symmetry.base.errors import TrainingError
from symmetry.finding.first_steps.gradients import ReceivedGradients, observe_gradients
from symmetry.finding.first_steps.losses import STEPS, LossSteps, StepResults
from symmetry.training.capabilities.batching import FewSamples
from symmetry.units.state import Array, State

_SCALES = 0.1, 0.01  # of smaller moves, if a move of scale 1 goes too far
_ALIVE = 0.75  # how far biases grow, relative to a random number, so that units are alive
_LEAST = 1e-9  # relative to the largest: smaller gradients change a loss by rounding only
_REVIVALS = 3  # times that the biases of dead units grow once more
_NONE = ReceivedGradients({}, {}, STEPS, ())


@dataclass(frozen=True)
class GenericStart:
    """A start, and what its steps are like."""

    state: State
    received: ReceivedGradients  # the gradients that parameters receive, without mere rounding
    results: StepResults  # of the steps up to their losses


def generic_start(
    steps: LossSteps, start: State, names: Collection[str], few: FewSamples | None = None
) -> GenericStart:
    """Return the generic start at which most entries receive a gradient.

    Dead units, as those of a ReLU may be, hide which slices they have. If two starts that are far
    from each other agree on the entries, no other start is tried. ``names`` are the arrays to move.
    With ``few``, it is chosen on few samples, unless at the first one all entries receive one.
    """
    moved = next(_candidates(start, names))
    first = _attempt(steps, moved)
    if first is not None and first.received.everywhere:
        return first
    others = islice(_candidates(start, names), 1, None)
    if few is not None:
        with suppress(TrainingError):  # a size of the batch may be written in the step
            state = _best(replace(steps, few=few), start, chain([moved], others)).state
            chosen = first if state is moved else _attempt(steps, state)
            there = [attempt for attempt in (first, chosen) if attempt is not None]
            if there:
                return max(there, key=lambda attempt: attempt.received.count)
        others = islice(_candidates(start, names), 1, None)
    return _best(steps, start, others, first)


def _best(
    steps: LossSteps, start: State, candidates: Iterator[State], first: GenericStart | None = None
) -> GenericStart:
    """Return the best of some candidates; ``first`` is one that has been tried already."""
    best = first
    for moved in candidates:
        attempt = _attempt(steps, moved)
        if attempt is None:
            continue
        agreed = best is not None and attempt.received.has_same_entries(best.received)
        if best is None or attempt.received.count > best.received.count:
            best = attempt
        if (agreed and best.received.count > 0) or best.received.everywhere:
            return best
    if best is None:
        best = GenericStart(start, _NONE, steps.take(start))
    for _ in range(_REVIVALS):
        attempt = _attempt(steps, _revived(best.state, best.received.entries))
        if attempt is None or attempt.received.count <= best.received.count:
            break
        best = attempt
    return best


def _attempt(steps: LossSteps, start: State) -> GenericStart | None:
    """Return the gradients from a start that are no rounding; None if losses are not finite."""
    results = steps.take(start)
    if not results.finite:
        return None
    try:
        received = steps.with_run(partial(observe_gradients, least=_LEAST), start)
    except TrainingError:  # an update may refuse the state that comes of this start
        received = _NONE
    return GenericStart(start, received, results)


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
