"""The rehearsal of a training: its first steps, taken again from many starts, prove groups.

A group holds if the losses stay, and the buffers move along, when all its units are rotated.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from symmetry.base.errors import TrainingError
from symmetry.finding.exchange.tolerance import CERTAIN, elsewhere, same
from symmetry.finding.first_steps import (
    PROMOTED,
    FirstSteps,
    LossSteps,
    ReceivedGradients,
    StepResults,
    begin_steps,
    entries_in_any,
    generic_start,
    largest_difference,
    take_first_steps,
)
from symmetry.training.capabilities.batching import FewSamples, Thinning
from symmetry.training.capabilities.model import Layered
from symmetry.training.capabilities.observing import Tracing
from symmetry.training.run import Run, RunSettings, needed
from symmetry.training.target import Training
from symmetry.training.trace import Trace
from symmetry.units.state import State
from symmetry.units.ulps import is_discrete
from symmetry.units.units import Units

_LOSS, _ULPS = 1e-12, 30  # tolerances: relative, and in multiples of the effect of one ulp


@dataclass(frozen=True)
class Rehearsal:
    """A training whose first steps are taken again and again; ``begin`` makes one."""

    steps: LossSteps  # takes them, up to their losses
    first: FirstSteps  # the first steps, taken once as they are written
    # The parameters and buffers as the training makes them, in float64; without buffers that change
    # their shape.
    start: State
    generic: State  # a start near it at which all units are different
    received: ReceivedGradients  # the gradients that parameters receive from there
    at_generic: StepResults  # the results of the steps from there
    # Name and line of the random operations inside modules; the name of the model's class.
    random: tuple[tuple[str, str], ...]
    model: str
    # Weights whose output axis is 1, not 0: embeddings, transposed convolutions.
    output_on_axis_1: frozenset[str]
    # Along which axis matrices of layers make units, and how many.
    layers: Mapping[str, tuple[int, int]]
    # Which entries of the parameters received a gradient, from the training's own start or from the
    # generic one; empty if not all gradients could be observed.
    gradients: Mapping[str, NDArray[np.bool_]]

    @classmethod
    def begin(
        cls,
        training: Training,
        few: FewSamples | None = None,
        settings: RunSettings = PROMOTED,
    ) -> Rehearsal:
        """Take the first steps of a training, and find a generic start.

        With ``few``, that is chosen on few samples if there are many, and steps are dear.

        Raises
        ------
        TrainingError
            If the training cannot be run, its step has no loss, or the loss is not finite.
        SymmetryError
            If the parameters need more memory than there is.
        """
        first = take_first_steps(training)
        steps, run, start, results = begin_steps(training, first.gradients.ends, settings)
        for i, loss in enumerate(results.losses):
            if not math.isfinite(loss):
                raise TrainingError(f"{training.name}: the loss of step({i}) is {loss}")
        resized = _resized(start, results)
        start = {name: array for name, array in start.items() if name not in resized}
        steps = replace(steps, buffers=tuple(n for n in steps.buffers if n not in resized))
        # The steps end at their losses, before some buffers are written.
        written = _written(start, steps.buffers, [*results.buffers, first.later])
        masks = {n for n in steps.buffers if n not in written and is_discrete(start[n])}
        start = {name: array for name, array in start.items() if name not in masks}
        steps = replace(steps, buffers=tuple(n for n in steps.buffers if n not in masks))
        moved = {*run.parameters} | written
        thins = few is not None and steps.agreed(steps.dear and _thins(run, few))
        generic = generic_start(steps, start, moved, few if thins else None)
        layered = needed(run, Layered)
        return cls(
            steps,
            first,
            start,
            generic.state,
            generic.received,
            generic.results,
            tuple(run.random),
            layered.model_name,
            layered.output_on_axis_1,
            layered.layers,
            entries_in_any(first.gradients, generic.received),
        )

    @property
    def silent(self) -> bool:
        """Whether the losses are all zero: then they prove nothing."""
        return not any(self.at_generic.losses)

    @cached_property
    def tolerance(self) -> float:
        """By how much an exchange may change the loss, relative.

        It is a multiple of the change that one ulp in the parameters causes.
        """
        random, effects = np.random.default_rng(0), [0.0]
        for _ in range(2):
            moved = {
                n: a * (1 + 2.2e-16 * random.integers(-1, 2, a.shape))
                for n, a in self.generic.items()
            }
            effects.append(largest_difference(self.at_generic, self.steps.take(moved)))
        return max(_LOSS, _ULPS * max(effects))

    def trace(self, few: FewSamples | None = None) -> tuple[Trace, bool]:
        """Return the trace of the first steps from the generic start.

        That is one step, unless some parameters receive their first gradient in a later one. With
        ``few``, samples are left out if that is possible: the second value says whether.
        """
        try:
            return self._traced(few)
        except TrainingError:
            if few is None:
                raise
            return self._traced(None)  # a size of the batch may be written in the training

    def _traced(self, few: FewSamples | None) -> tuple[Trace, bool]:
        run, steps = replace(self.steps, few=few).run(self.generic), self.received.steps
        try:
            trace = needed(run, Tracing).trace(self.start, lambda: self.steps.step(run), steps)
        finally:
            run.close()
        thinning = run.capability(Thinning)
        return trace, thinning is not None and thinning.thinned

    def survivors(
        self,
        groups: Sequence[Units],
        others: Sequence[Units] = (),
        excused: Collection[str] = (),
    ) -> list[Units]:
        """Return the groups that hold on all batches, from both starts, all at once.

        They hold together with ``others``, which are proved already. ``excused`` are buffers that
        need not move along with units.
        """
        if not groups or self._hold([*others, *groups], excused):
            return [*groups]
        return self._survivors_of_failing(groups, others, excused)

    def _survivors_of_failing(
        self, groups: Sequence[Units], others: Sequence[Units], excused: Collection[str]
    ) -> list[Units]:
        """Return the same for groups that do not hold all at once.

        If one half of them does, the other half does not: that need not be tried.
        """
        if len(groups) == 1:
            return []
        half = len(groups) // 2
        left = self.survivors(groups[:half], others, excused)
        of_right = self._survivors_of_failing if len(left) == half else self.survivors
        return left + of_right(groups[half:], [*others, *left], excused)

    def matters(self, units: Units) -> bool:
        """Return whether the losses depend on the arrays of units.

        Otherwise they prove nothing, as a mean of advantages, which cancel, times a ratio of 1.
        """
        return self._matter(units.arrays)

    @property
    def is_blind(self) -> bool:
        """Whether losses depend on no array, as where a ratio to its own value is always 1."""
        return not self._matter(self.generic)

    def _matter(self, names: Collection[str]) -> bool:
        moved = {n: elsewhere(a) if n in names else a for n, a in self.generic.items()}
        results = self.steps.take(moved)
        change = largest_difference(self.at_generic, results)
        return not results.finite or change > CERTAIN * self.tolerance

    def _hold(self, groups: Sequence[Units], excused: Collection[str]) -> bool:
        """Return whether losses stay and buffers move along when all units are rotated.

        At the later start buffers may hold nothing but rounding, such as running means of
        normalised values: there the losses alone are compared.
        """
        tolerance = self.tolerance

        def differs(base: StepResults, results: StepResults) -> bool:
            return largest_difference(base, results) > tolerance

        rotated = _rotated(groups, self._later)
        if differs(self._at_later, self.steps.take(rotated, partial(differs, self._at_later))):
            return False
        base = self.at_generic
        results = self.steps.take(_rotated(groups, self.generic), partial(differs, base))
        return not differs(base, results) and all(
            self.steps.gathering(
                all(
                    same(array, after[name])
                    for before, after in zip(base.buffers, results.buffers, strict=True)
                    for name, array in _rotated(groups, before).items()
                    if name not in excused
                )
            )
        )

    @cached_property
    def _later(self) -> State:
        """The start that the first steps lead to: at their own, layers of zeros hide others."""
        return {name: self.first.later.get(name, array) for name, array in self.start.items()}

    @cached_property
    def _at_later(self) -> StepResults:
        """The results of the steps from there."""
        return self.steps.take(self._later)


def _thins(run: Run, few: FewSamples) -> bool:
    """Return whether the batches of runs lose samples if few are kept."""
    count = run.samples()
    return (
        count is not None
        and run.capability(Thinning) is not None
        and len(few.places(count)) < count
    )


def _resized(start: State, results: StepResults) -> set[str]:
    """Return the buffers that change their shape: units have no fixed places in them."""
    return {
        name
        for after in results.buffers
        for name, array in after.items()
        if array.shape != start[name].shape
    }


def _written(start: State, buffers: Sequence[str], states: Sequence[State]) -> set[str]:
    """Return the buffers that one of some later states has other numbers of."""
    return {
        name
        for after in states
        for name in buffers
        if name in after and not same(start[name], after[name], 0.0)
    }


def _rotated(groups: Sequence[Units], state: State) -> State:
    for units in groups:
        state = units.rearranged(state, np.roll(np.arange(units.count), 1))
    return state
