"""Explaining a two-layer step: which operation splits its equal units, from a case or a start."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from symmetry.base.errors import SymmetryError, TargetError
from symmetry.checker.threads import one_thread
from symmetry.checker.verdict import Verdict
from symmetry.explanation.answer import explain_exchange, explain_splits
from symmetry.explanation.explained import Explained
from symmetry.explanation.starts import TapedStart, cloned, with_different
from symmetry.law.case import Case, with_distinct_sizes
from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.steps.cases import start_of_case
from symmetry.steps.catalogue import ZERO, StepInvariant
from symmetry.steps.observe.numpy import observed
from symmetry.steps.observe.running import observing, seeded
from symmetry.steps.start import StepStart
from symmetry.steps.step import TwoLayerRun, TwoLayerStep
from symmetry.units.state import Array, State
from symmetry.units.units import Part

# As many responses as the law allows a step, but at least this many: the law takes the largest of
# 18 perturbed runs, and here one perturbed run shows how far rounding moves an array.
_LEAST_LIMIT = 32.0
_ORDER = "the order of the data"  # a name that no array of a step has
_MOVED = {  # arrays of the data, each with the axis along which its units lie
    "samples": (("x", 0), ("y", 0)),
    "inputs": (("x", 1),),
    "classes": (("y", 1),),
}
_NOT_TAKEN = (
    "the step does not take a subclass of NumPy's arrays, "
    "so its use of NumPy was observed only where it makes arrays itself"
)


def with_data(target: TwoLayerStep, start: StepStart, kind: str) -> TapedStep:
    """Return a step whose units are its samples, inputs or classes.

    The order of the data is part of its state, so that the data themselves stay what they are.
    """
    watched = TapedStep(target, start)
    units = start.units(kind)
    own = [part for part in units.parts if part.array in watched.state]
    watched.groups = (replace(units, parts=(Part(_ORDER, axis=0), *own)),)
    watched.state = {**watched.state, _ORDER: np.arange(units.count)}
    return watched


class TapedStep(TapedStart):
    """A step ``step(x, y, w1, w2, lr)`` from one start."""

    can_end = True

    def __init__(self, target: TwoLayerStep, start: StepStart) -> None:
        self.name, self.state = target.name, {"w1": start.w1, "w2": start.w2}
        self.groups, self.limit = (start.hidden_units,), max(_LEAST_LIMIT, start.limit)
        self.forgets = not isinstance(target.target, type)  # a class may keep a state of its own
        self._target, self._two_layer = target, start
        self._hand: Callable[[Array], Array] = observed  # makes what a watched step is given

    def states(self, start: State, steps: int, tape: Tape | None = None) -> Iterator[State]:
        """Yield the weights after each step."""
        function, hand = self._target.target, np.asarray if tape is None else self._hand
        watching = (
            nullcontext if tape is None else partial(observing, tape, function, SourceLines())
        )

        def step(x: Array, y: Array, w1: Array, w2: Array, lr: float) -> Any:
            with watching():
                return run.step(hand(x), hand(y), hand(w1), hand(w2), lr)

        with seeded(function):
            with watching():
                run = self._target.start()
            here = self._two_layer.at(self._placed(start))
            for _ in range(steps):
                weights = here.step(TwoLayerRun(step))
                yield weights
                here = here.at(weights)

    def _placed(self, start: State) -> State:
        """Return the weights of a start, and the data in the order that it has, if it has one."""
        arrays = {name: array for name, array in start.items() if name != _ORDER}
        if _ORDER in start:
            data, (units,) = self._two_layer.state, self.groups
            arrays |= {n: data[n].take(start[_ORDER], axis) for n, axis in _MOVED[units.name]}
        return arrays

    def otherwise(self) -> TapedStart | None:
        """Return the step given arrays that do not report, if it was given others."""
        if self._hand is np.asarray:
            return None
        plain = copy.copy(self)
        plain._hand, plain.remarks = np.asarray, (_NOT_TAKEN,)
        return plain

    def scale(self, array: str) -> float:
        """Return what gives pre-activations and logits of order 1."""
        x = self._two_layer.x.astype(np.float64)
        squares = float(np.mean(np.einsum("ni,ni->n", x, x)))
        return 1 / float(np.sqrt(1 + squares)) if array == "w1" else 1.0


CASE = Case(200, 20, 200, 10, 0.01, 10, "float32", "pixels", "zero", 0)
STEPS = 2  # of a step that keeps a state
_RUNS = 15  # that an explanation takes, about
_WORK = 3 * 10**9  # samples times inputs times units times steps of an explanation, at most
_FEW_SAMPLES, _FEW_INPUTS = 100, 20  # that an explanation begins with
_NOT_FROM_ZERO = "from zero weights they do not move, so units started equal but not at zero"
_UNITS_ONLY = "of samples, inputs and classes nothing is said here: check names their line"


@one_thread()
def explain_case(target: TwoLayerStep, case: Case) -> Explained:
    """Explain a two-layer step from a case.

    If some of its sizes are equal, it begins with larger ones, if units split then, too: an array
    of two by two does not show which of its axes has the units. Units that all differ are cloned.
    """
    for sized in dict.fromkeys((with_distinct_sizes(case), case)):
        start = start_of_case(sized)
        hidden = start.hidden_units
        if all(len(group) == 1 for group in hidden.groups(start.state)):
            start = start.at(hidden.rearranged(start.state, cloned(hidden.count, shift=2)))
        found = explain_step(target, start)
        if found.outcome != "nothing split":
            break
    if sized == case or found.remarks[:1] == (_seen_with(start),):
        return found
    return replace(found, remarks=(_seen_with(start), *found.remarks))


def explain_step(target: TwoLayerStep, start: StepStart, *, first: int = 0) -> Explained:
    """Explain a two-layer step from a start.

    It begins with few samples and inputs, which is as good where an operation is found that does
    it. If all samples need not be taken, it goes on with the ``first`` ones, and takes all only if
    nothing splits.
    """
    if start.w1.dtype.name not in target.dtypes:
        raise SymmetryError(f"{target.name} takes {', '.join(target.dtypes)} only")
    if all(len(group) == 1 for group in start.hidden_units.groups(start.state)):
        raise SymmetryError("all hidden units start different, so there is no symmetry to break")
    for few in _smaller(start):
        with suppress(SymmetryError):  # a step may be made for the sizes of the start
            found = _explain_step(target, few)
            if found.outcome == "explained":
                return replace(found, remarks=(_seen_with(few), *found.remarks))
    if 0 < first < len(start.x):
        some = start.at({"x": start.x[:first], "y": start.y[:first]})
        found = _explain_step(target, some)
        if found.outcome != "nothing split":
            return replace(found, remarks=(_seen_with(some), *found.remarks))
    return _explain_step(target, start)


def _smaller(start: StepStart) -> Iterator[StepStart]:
    """Yield the start with its first samples, and before with the inputs that vary most in them."""
    samples, inputs = start.x.shape
    some = start.at({"x": start.x[:_FEW_SAMPLES], "y": start.y[:_FEW_SAMPLES]})
    if inputs > _FEW_INPUTS:
        varying = np.sort(np.argsort(-some.x.std(axis=0), kind="stable")[:_FEW_INPUTS])
        rows = np.append(0, varying + 1)
        yield some.at({"x": some.x[:, varying], "w1": start.w1[rows]})
    if samples > _FEW_SAMPLES:
        yield some


def _seen_with(start: StepStart) -> str:
    n, i, h, c = (*start.x.shape, start.hidden, start.y.shape[1])
    return f"seen with {n:,} samples, {i} inputs, {h} hidden units, {c} classes"


def _explain_step(target: TwoLayerStep, start: StepStart) -> Explained:
    """Explain a step from a start with its own sizes."""
    taped = TapedStep(target, start)
    (units,) = taped.groups
    try:
        found = explain_splits(taped, start.iterations)
        if found.outcome == "nothing split" and not (start.w1.any() or start.w2.any()):
            last = taped.last(taped.state, start.iterations)
            moves = [bool(units.rows(last, part).any()) for part in units.parts]
            if not any(moves) or (start.iterations > 1 and not all(moves)):
                moved = with_different(taped.state, units, [0], taped.scale, 0)
                equal = units.rearranged(moved, [0] * units.count)
                again = _explain_step(target, start.at(equal))
                return replace(again, remarks=(_NOT_FROM_ZERO, *again.remarks))
        if found.outcome != "nothing split":
            return found
        steps = STEPS if isinstance(target.target, type) else 1  # a function keeps no state
        unfair = explain_exchange(taped, min(start.iterations, steps))
        return unfair or replace(found, remarks=(*found.remarks, _UNITS_ONLY))
    except TargetError as error:
        raise SymmetryError(f"{target.name}: {error}") from error


@one_thread()
def explain_data(target: TwoLayerStep, case: Case, kind: str) -> Explained | None:
    """Explain why rearranged samples, inputs or classes change a two-layer step, from a case.

    Returns None if they do not, from starts at which all weights differ: in float64 if the step
    takes it, where rounding hides nothing.
    """
    dtype = "float64" if "float64" in target.dtypes else case.dtype
    case = replace(case, dtype=dtype, weights="scaled")
    varied = replace(case, data="normals")  # exchanging equal numbers changes nothing
    try:
        for sized in dict.fromkeys((*map(with_distinct_sizes, (varied, case)), case)):
            taped = with_data(target, start_of_case(sized), kind)
            if (found := explain_exchange(taped, 1)) is not None:
                return found
    except TargetError as error:
        raise SymmetryError(f"{target.name}: {error}") from error
    return None


def explain_verdict(target: TwoLayerStep, verdict: Verdict) -> Explained | None:
    """Explain a violation that repeats and that exchanging units or data can explain.

    Returns None if there is nothing to explain, or if the case is too large.
    """
    about, case = verdict.about, verdict.case
    if verdict.kind != "violated" or not (verdict.repeats and about.exchanges) or case is None:
        return None
    if case.n * case.i * case.h * case.iterations * _RUNS > _WORK:
        return None
    try:
        if about.exchanges != "units":
            return explain_data(target, case, about.exchanges)
        if isinstance(about, StepInvariant) and about.weights == ZERO:
            case = replace(case, weights="zero")
        return explain_case(target, case)
    except SymmetryError:
        return None
