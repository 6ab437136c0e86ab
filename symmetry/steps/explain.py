"""Explaining a two-layer step: which operation splits its equal units, from a case or a start."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

import numpy as np

from symmetry.base.errors import SymmetryError, TargetError
from symmetry.checker.threads import one_thread
from symmetry.checker.verdict import Verdict
from symmetry.explanation.answer import explain_exchange, explain_splits
from symmetry.explanation.explained import Explained
from symmetry.explanation.starts import cloned, with_different
from symmetry.law.case import Case, with_distinct_sizes
from symmetry.steps.cases.recipes import start_of_case
from symmetry.steps.catalogue import ZERO, StepInvariant
from symmetry.steps.start import StepStart
from symmetry.steps.step import TwoLayerStep
from symmetry.steps.taped import TapedStep, with_data

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
