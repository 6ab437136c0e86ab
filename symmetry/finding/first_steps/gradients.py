"""Which entries of parameters receive a gradient, in steps as the training takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from symmetry.base.errors import TrainingError
from symmetry.base.memory import refuse_beyond_memory
from symmetry.finding.first_steps.losses import STEPS
from symmetry.training.agreement import gathering
from symmetry.training.capabilities.model import Differentiating, Layered
from symmetry.training.capabilities.observing import Tracing
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.run import Run, RunSettings, needed
from symmetry.training.target import Training
from symmetry.units.state import Array, State

_BYTES = 80  # at the peak, for each parameter: ten copies in float64


@dataclass(frozen=True)
class ReceivedGradients:
    """The gradients that were observed in a run's steps."""

    # Which entries of the parameters received one, in all steps and in the first one alone; empty
    # if no backward left any.
    entries: Mapping[str, NDArray[np.bool_]]
    at_once: Mapping[str, NDArray[np.bool_]]
    steps: int  # the steps after which all parameters that receive one have had it
    # For each step, how many calls leave gradients in parameters, and how many return them.
    ends: Sequence[tuple[int, int]]

    @property
    def count(self) -> int:
        """The number of entries that received one."""
        return sum(map(np.count_nonzero, self.entries.values()))

    @property
    def everywhere(self) -> bool:
        """Whether all entries received one, and there are some."""
        return bool(self.entries) and all(entries.all() for entries in self.entries.values())

    def has_same_entries(self, other: ReceivedGradients) -> bool:
        """Return whether the same entries received one."""
        return self.entries.keys() == other.entries.keys() and all(
            np.array_equal(entries, other.entries[name]) for name, entries in self.entries.items()
        )


@dataclass(frozen=True)
class FirstSteps:
    """The first steps of a training, taken as they are written."""

    trained: frozenset[str]  # the parameters that are trained
    later: State  # parameters and buffers after these steps
    gradients: ReceivedGradients  # the gradients that the parameters received


def take_first_steps(training: Training) -> FirstSteps:
    """Take the first steps as they are written.

    Raises
    ------
    TrainingError
        If the training cannot be run, or ranks hold its parameters in parts.
    SymmetryError
        If the parameters need more memory than there is.
    """

    def taken(run: Run) -> FirstSteps:
        if needed(run, Layered).sharded:
            raise TrainingError(f"{training.name}: its ranks hold parameters in parts (DTensor)")
        refuse_beyond_memory(_BYTES * sum(a.size for a in run.parameter_arrays().values()))
        gradients = observe_gradients(run)
        first = FirstSteps(run.trained, needed(run, Tracing).leaves(), gradients)
        run.close()
        return first

    return training.with_run(taken, RunSettings(dtype="float64", noise=False))


def observe_gradients(run: Run, least: float = 0.0) -> ReceivedGradients:
    """Take steps as they are written, and observe the gradients.

    A gradient counts if it is larger than ``least``, relative to the largest of all.
    """
    sizes: dict[str, Array] = {}
    events, differentiating = needed(run, StepEvents), run.capability(Differentiating)

    def note() -> None:
        if differentiating is not None:
            for name, array in run.parameter_arrays().items() if not sizes else ():
                sizes[name] = np.zeros(array.shape)  # complex parameters are pairs there
            for name, gradient in differentiating.gradients().items():
                np.maximum(sizes[name], abs(gradient), out=sizes[name])

    everyones = gathering(run)
    counts, ends = list[int](), list[tuple[int, int]]()
    received: list[dict[str, NDArray[np.bool_]]] = []
    with events.listening(after_backward=note):
        for _ in range(STEPS):
            run.step()
            largest = _largest(everyones(sizes))
            received.append(_larger(largest, least))
            counts.append(sum(bool(size.any()) for size in largest.values()))
            ends.append((events.backwards, events.grads))
    return ReceivedGradients(received[-1], received[0], 1 + counts.index(counts[-1]), ends)


def _largest(everyones: Sequence[Mapping[str, Array]]) -> Mapping[str, Array]:
    """Return the largest size of each entry on any rank."""
    first, *others = everyones
    return {n: reduce(np.maximum, (o[n] for o in others), size) for n, size in first.items()}


def _larger(sizes: Mapping[str, Array], least: float) -> dict[str, NDArray[np.bool_]]:
    """Return which entries are larger than ``least``, relative to the largest of all."""
    bound = least * max((size.max(initial=0.0) for size in sizes.values()), default=0.0)
    return {name: size > bound for name, size in sizes.items()}


def entries_in_any(*several: ReceivedGradients) -> dict[str, NDArray[np.bool_]]:
    """Return which entries received a gradient in any of several runs.

    Nothing if a step returns gradients, since these cannot be observed.
    """
    if any(returned for gradients in several for _, returned in gradients.ends):
        return {}
    union: dict[str, NDArray[np.bool_]] = {}
    for gradients in several:
        for name, entries in gradients.entries.items():
            union[name] = entries | union.get(name, False)
    return union if any(entries.any() for entries in union.values()) else {}
