"""The first runs of a training in one precision: all its starts share them."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np

from symmetry.base.errors import LossNotFinite, TrainingError
from symmetry.base.raised import heard
from symmetry.base.randomness.unseeded import Unseeded
from symmetry.training.capabilities.batching import (
    Accumulating,
    Doubt,
    Padding,
    Reordering,
    Window,
)
from symmetry.training.capabilities.drawing import Drawing
from symmetry.training.capabilities.model import Optimizing
from symmetry.training.capabilities.platform import Configuring, Platform
from symmetry.training.capabilities.rows import PackedCall, Rows
from symmetry.training.capabilities.step_events import StepEvents
from symmetry.training.losses import LossCall, LossProbe, Observed
from symmetry.training.observers import OBSERVERS, Observer, observed
from symmetry.training.run import Run, RunSettings, needed
from symmetry.training.run_facts import RunFacts
from symmetry.training.target import Result, Training
from symmetry.units.state import Array, State, difference, has_moved, largest

_IN_TURN = 3  # further steps that may be taken until each optimiser had its turn
_ROUNDED = 30  # ulps of the largest entry of an array, as many as responses in float32
JUDGED = 2  # steps: a bug on odd steps shows, and chaos has no time to grow

States = list[dict[str, Array]]


@dataclass(frozen=True)
class Baseline:
    """The baseline: what the first run, on objects as the training makes them, showed."""

    state: State  # before the first step
    precision: Mapping[str, float]  # the eps of each array
    trained: frozenset[str]  # the parameters that are trained
    moved: frozenset[str]  # the arrays that the first steps change
    size: int  # bytes of a state after the steps
    random: tuple[tuple[str, str], ...]  # operations of the model, where that is promoted
    samples: int | None  # in each batch; None where that is not known to be one number
    doubt: Doubt  # why it is not certain that samples may be rearranged; empty if it is
    window: Window | None  # the micro-batches of the first update, if it accumulates gradients
    reorders: str  # how to make sums repeatable that are added in another order each time
    compiles: bool  # by something that compiles nothing under ``Run.round_by``
    nothing_hidden: str  # why no token can be replaced that a mask hides; empty if one may be
    observed: Observed | None  # its losses and tokens, where it is promoted
    unseeded: tuple[Unseeded, ...]  # what makes random generators without a seed
    facts: RunFacts  # its warnings are those of a run as written: none in float64
    loss: float | None = None  # of the first step
    draws: bool = True  # whether the first step may draw random numbers


class FirstRuns:
    """The first runs, from the state that the training itself begins from.

    Each is taken when something is first asked of it. The states are large: they can be released,
    and are computed again where they are needed once more.
    """

    def __init__(self, target: Training, settings: RunSettings) -> None:
        self.target, self.settings = target, settings
        self._baseline: Baseline | None = None
        self._capabilities: frozenset[type] | None = None
        self._as_written: States | None = None
        self._noiseless: States | None = None
        self._observed: dict[Observer[Any], Any] | None = None  # by observers, until it is used
        self.differ = False  # whether two runs differ by rounding
        self.held: State = {}  # arrays that all runs begin from, as they differ by rounding

    @property
    def baseline(self) -> Baseline:
        """The measurements of the first run.

        Raises
        ------
        TrainingError
            If a step raises, or there is neither a loss nor a change. If a loss is not finite it is
            a LossNotFinite.
        """
        if self._baseline is None:
            self._baseline, self._as_written = self._take_first()
        return self._baseline

    @property
    def capabilities(self) -> frozenset[type]:
        """The kinds of capabilities that its runs can have."""
        if self._capabilities is None:
            self._capabilities = self._begin(noise=True).capabilities
        return self._capabilities

    @property
    def states(self) -> States:
        """The states of a run as the training is written: the bits that every run must have."""
        _ = self.baseline  # the first run leaves its states
        if self._as_written is None:
            self._as_written = self._states(noise=True)
        return self._as_written

    @cached_property
    def random(self) -> tuple[tuple[str, str], ...]:
        """Names and places of the random operations inside modules."""
        random = self.baseline.random
        if self.settings.promotes and not random:  # every operation of a promoted run is seen
            return ()
        states, found = self._with_run(_states_and_random, noise=False)
        if found:
            self._noiseless = states
        return found

    @property
    def noiseless(self) -> States:
        """The states of a run without the model's random operations.

        Without any the first run is the same; and what torch.compile has made runs only outside of
        the modes that look for random numbers.
        """
        if not self.random:
            return self.states
        if self._noiseless is None:
            self._noiseless = self._states(noise=False)
        return self._noiseless

    @cached_property
    def turnable(self) -> frozenset[str]:
        """The settings that may have an effect here.

        Those that many trainings lack are turned at once, in one run; where that cannot be done it
        may be any.
        """
        return self._with_run(_turnable, noise=not self.settings.promotes and not self.random)

    @property
    def may_have_rows(self) -> bool:
        """Whether modules may be called with rows of tokens: not if none is given any."""
        observed = self.baseline.observed
        return observed is None or observed.rows

    @cached_property
    def packed(self) -> Sequence[PackedCall]:
        """The calls of the first step on rows of several documents."""
        if not self.may_have_rows:
            return ()
        return self._with_run(lambda run: needed(run, Rows).packed(), noise=True)

    def observed(self, observer: Observer[Result], steps: int) -> Result:
        """Return what an observer returns of a run as the training is written.

        All observers see one run, unless one of its steps raises.
        """
        if self._observed is None:
            together = partial(_observed_by, observers=OBSERVERS, steps=steps)
            with suppress(TrainingError):
                self._observed = self._with_run(together, noise=True)
            self._observed = self._observed or {}
        if observer in self._observed:
            result: Result = self._observed.pop(observer)  # which may be large
            return result
        alone = partial(_observed_by, observers=[observer], steps=steps)
        own: Result = self._with_run(alone, noise=True)[observer]
        return own

    def release(self) -> None:
        """Free the states."""
        self._as_written = self._noiseless = None

    def _begin(self, *, noise: bool) -> Run:
        return self.target.begin(replace(self.settings, noise=noise))

    def _with_run(self, function: Callable[[Run], Result], *, noise: bool) -> Result:
        def called(run: Run) -> Result:
            run.load(self.held)
            return function(run)

        return self.target.with_run(called, replace(self.settings, noise=noise))

    def hold_start(self) -> str | None:
        """Let all runs begin from the first one's arrays, if those of others differ by rounding.

        Return such an array; None if all are the same, or one differs by more.
        """
        first, other = self.baseline.state, self._begin(noise=True).state()
        differing = [n for n, a in first.items() if n in other and difference(a, other[n])]
        written = dict.fromkeys(first, float(np.finfo(np.float32).eps))  # it is promoted later
        if not differing or not by_rounding(first, other, written):
            return None
        self.held = first
        return differing[0]

    def _states(self, *, noise: bool) -> States:
        return self._with_run(judged_states, noise=noise)

    def _take_first(self) -> tuple[Baseline, States]:
        run = self._begin(noise=True)
        self._capabilities = run.capabilities
        if self.settings.promotes:
            probe, optimizing = run.capability(LossProbe), run.capability(Optimizing)
            stepped: set[frozenset[str]] = set()
            with needed(run, StepEvents).listening(
                before_update=lambda optimizer: stepped.add(frozenset(optimizer.rates()))
            ):
                baseline, states = _observed(run, probe)
                if baseline.observed is not None and probe is not None and optimizing is not None:
                    more = _losses_in_turn(run, probe, lambda: optimizing.waiting(stepped))
                    baseline.observed.losses.extend(more)
            return baseline, states
        with heard() as warned:
            baseline, states = _observed(run, None)
        facts = replace(baseline.facts, warnings=tuple(warned.values()))
        return replace(baseline, facts=facts), states


def by_rounding(one: State, other: State, precision: Mapping[str, float]) -> bool:
    """Return whether two states differ by a few ulps of the largest entry of each array."""
    return all(
        difference(array, other.get(name)) <= _ROUNDED * eps * largest(array)
        for name, array in one.items()
        if (eps := precision.get(name)) is not None
    )


def judged_states(run: Run) -> States:
    """Return the states after the steps that are judged."""
    return list(run.states(JUDGED))


def _observed_by(
    run: Run, observers: Sequence[Observer[Any]], steps: int
) -> dict[Observer[Any], Any]:
    results = observed(run, *(each(run, steps) for each in observers))
    return dict(zip(observers, results, strict=True))


def _states_and_random(run: Run) -> tuple[States, tuple[tuple[str, str], ...]]:
    return judged_states(run), tuple(run.random)


def _turnable(run: Run) -> frozenset[str]:
    """Return the settings that may have an effect on a run: see ``FirstRuns.turnable``."""
    configuring = run.capability(Configuring)
    if configuring is None:
        return frozenset()
    try:
        with ExitStack() as stack:
            turned = {
                name: stack.enter_context(configuring.with_setting(name))
                for name in sorted(configuring.rare)
            }
            deque(run.states(JUDGED, copy=False), maxlen=0)
    except TrainingError:
        return configuring.settings
    return configuring.settings - {name for name, was in turned.items() if not was()}


def _observed(run: Run, probe: LossProbe | None) -> tuple[Baseline, States]:
    """Take the first steps; return what they showed, and the states."""
    start, precision, states = run.state(), run.precision(), States()
    losses: list[float | None] = []
    observed: Observed | None = None
    drawing, draws = run.capability(Drawing), True
    numbers = drawing.numbers() if drawing else None
    with ExitStack() as stack:
        if probe is not None:
            observed = stack.enter_context(probe.observed())
        for state in run.states(JUDGED):
            if not losses and drawing and numbers is not None:
                draws = drawing.numbers() != numbers
            losses.append(run.loss)
            states.append(state)
            _refuse_growth(run, start, state)
    last = states[-1]
    if losses == [None] * JUDGED and not has_moved(start, [last]):
        raise TrainingError(
            "its steps compute no gradients, return no loss and change nothing: a step that "
            "does without gradients returns its loss"
        )
    platform, padding = run.capability(Platform), run.capability(Padding)
    accumulating = run.capability(Accumulating)
    reordering = run.capability(Reordering)
    baseline = Baseline(
        state=start,
        precision=precision,
        trained=run.trained,
        moved=frozenset(
            n for n, a in start.items() if n in last and has_moved({n: a}, [{n: last[n]}])
        ),
        size=sum(array.nbytes for array in last.values()),
        random=tuple(run.random),
        samples=run.samples(),
        doubt=reordering.doubt if reordering else Doubt(),
        window=accumulating.window if accumulating else None,
        reorders="" if platform is None else platform.reorders,
        compiles=platform is not None and platform.compiles,
        nothing_hidden=padding.why_nothing_hidden(JUDGED) if padding else Padding.absent,
        observed=observed,
        unseeded=drawing.unseeded if drawing else (),
        loss=losses[0],
        draws=draws,
        facts=RunFacts(part=needed(run, StepEvents).part),
    )
    return baseline, states


def _losses_in_turn(
    run: Run, probe: LossProbe, waiting: Callable[[], Collection[str]]
) -> Sequence[LossCall]:
    """Take further steps while optimisers wait for their turn; return the losses of these."""
    if not waiting():
        return []
    with probe.observed() as later, suppress(TrainingError):
        for _ in range(_IN_TURN):
            run.step()
            if not waiting():
                break
    return later.losses


def _refuse_growth(run: Run, start: State, state: State) -> None:
    """Raise TrainingError if the last step has changed a shape, or its loss is not finite."""
    for name in sorted(run.parameters.keys() & start.keys()):
        if state[name].shape != start[name].shape:
            raise TrainingError(
                f"{name} has the shape {start[name].shape} at the start and "
                f"{state[name].shape} after step {run.taken - 1}: what grows is not checked"
            )
    if run.loss is not None and not math.isfinite(run.loss):
        raise LossNotFinite(f"the loss of step {run.taken} is {run.loss}")
