"""Explaining a target: why its equal units split.

A step is explained from a case or a start, a training in float64 and as written, a verdict of a
check as the target that was checked.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from symmetry.base.errors import SymmetryError, TargetError
from symmetry.checker.threads import one_thread
from symmetry.checker.verdict import Verdict
from symmetry.explanation.answer import explain_exchange, explain_splits
from symmetry.explanation.explained import Culprit, Explained
from symmetry.explanation.starts import cloned, with_different
from symmetry.explanation.watched import WatchedStart
from symmetry.finding.coverage import Cause, Unequal
from symmetry.invariants.batches import samples as judge_samples
from symmetry.law.case import Case, with_distinct_sizes
from symmetry.steps.cases.recipes import start_of_case
from symmetry.steps.start import StepStart
from symmetry.steps.step import StepTarget
from symmetry.steps.watched import WatchedStep, with_data
from symmetry.training.start import TrainingStart
from symmetry.training.target import Training
from symmetry.units.state import State
from symmetry.units.units import Part, Units

STEPS = 2  # of a training
_SHIFTS = 3  # of the units of a training that stay different: each once beside a clone
_RUNS = 15  # that an explanation takes, about
CASE = Case(200, 20, 200, 10, 0.01, 10, "float32", "pixels", "zero", 0)
_FEW_SAMPLES, _FEW_INPUTS = 100, 20  # that an explanation begins with
_NOT_FROM_ZERO = "from zero weights they do not move, so units started equal but not at zero"
_UNITS_ONLY = "of samples, inputs and classes nothing is said here: check names their line"
_FROM_ZERO = ("symmetry/w1-columns", "symmetry/w2-rows")
_SAMPLES = "symmetry/samples"
_PROOFS: dict[Cause, str] = {
    "constant": "with the entries of its constant exchanged as well, the units may be exchanged",
    "reshape": "with two axes transposed there, the units may be exchanged one by one",
}
_EXPLAINED = (*_FROM_ZERO, "symmetry/clones", "symmetry/permutation")
_OF_DATA = {f"symmetry/{kind}": kind for kind in ("samples", "inputs", "classes")}  # of steps


@one_thread()
def explain_case(target: StepTarget, case: Case) -> Explained:
    """Explain a two-layer step from a case.

    Where its sizes are alike, it begins with larger ones, if units split then, too: of an array of
    two by two it cannot be told which of its axes has the units. Units that all differ are cloned.
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


def explain_step(target: StepTarget, start: StepStart, *, first: int = 0) -> Explained:
    """Explain a two-layer step from a start.

    It begins with few samples and inputs, which is as good where an operation is found that does
    it. If all samples need not be taken, it goes on with the ``first`` ones, and takes all only if
    nothing splits.
    """
    if start.w1.dtype.name not in target.dtypes:
        raise SymmetryError(f"{target.name} takes {', '.join(target.dtypes)} only")
    if all(len(group) == 1 for group in start.hidden_units.groups(start.state)):
        raise SymmetryError("no two hidden units start equal, so there is no symmetry to break")
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


def _explain_step(target: StepTarget, start: StepStart) -> Explained:
    """Explain a step from a start with its own sizes."""
    watched = WatchedStep(target, start)
    (units,) = watched.groups
    try:
        found = explain_splits(watched, start.iterations)
        if found.outcome == "nothing split" and not (start.w1.any() or start.w2.any()):
            last = watched.last(watched.state, start.iterations)
            moves = [bool(units.rows(last, part).any()) for part in units.parts]
            if not any(moves) or (start.iterations > 1 and not all(moves)):
                moved = with_different(watched.state, units, [0], watched.scale, 0)
                equal = units.rearranged(moved, [0] * units.count)
                again = _explain_step(target, start.at(equal))
                return replace(again, remarks=(_NOT_FROM_ZERO, *again.remarks))
        if found.outcome != "nothing split":
            return found
        steps = STEPS if isinstance(target.target, type) else 1  # a function keeps no state
        unfair = explain_exchange(watched, min(start.iterations, steps))
        return unfair or replace(found, remarks=(*found.remarks, _UNITS_ONLY))
    except TargetError as error:
        raise SymmetryError(f"{target.name}: {error}") from error


@one_thread()
def explain_data(target: StepTarget, case: Case, kind: str) -> Explained | None:
    """Explain why rearranged samples, inputs or classes change a two-layer step, from a case.

    Returns None if they do not, from starts at which all weights differ: in float64 if the step
    takes it, where rounding hides nothing.
    """
    dtype = "float64" if "float64" in target.dtypes else case.dtype
    case = replace(case, dtype=dtype, weights="scaled")
    varied = replace(case, data="normals")  # exchanging equal numbers changes nothing
    try:
        for sized in dict.fromkeys((*map(with_distinct_sizes, (varied, case)), case)):
            watched = with_data(target, start_of_case(sized), kind)
            if (found := explain_exchange(watched, 1)) is not None:
                return found
    except TargetError as error:
        raise SymmetryError(f"{target.name}: {error}") from error
    return None


@one_thread()
def explain_training(
    training: Training,
    units: Sequence[Units] | None = None,
    *,
    steps: int = STEPS,
    dtype: str | None = None,
    seed: int = 0,
    first: str = "",
) -> Explained:
    """Explain a training: in float64, where rounding hides nothing, and then as it is written.

    Groups of ``units`` are looked for if they are not given; the one named ``first`` comes first.
    """
    from symmetry.finding.find import find

    try:
        coverage = find(training) if units is None else None
        groups = units if coverage is None else coverage.groups
        unequal = None if coverage is None else _explain_unequal(training, coverage.without_units)
        if not groups:
            of_samples = explain_samples(training, seed)
            if of_samples is not None:
                return of_samples
            if unequal is not None:
                return unequal
            raise SymmetryError(f"{training.name} has no equal units, so there is nothing to split")
        found: list[Explained] = []
        # Of clones of what a step chooses between it rightly takes the first one.
        unchosen = [group for group in groups if not group.selectable]
        for kind in ("float64", "float32") if dtype is None else (dtype,):
            for watched in _starts(training, unchosen, kind, seed):
                found.append(explain_splits(watched, steps, first=first))
                if found[-1].outcome == "explained":
                    return found[-1]
            # Rounding in float32 may grow to more than what an exchange does.
            if kind == "float64":
                watched = next(_starts(training, groups, kind, seed))
                unfair = explain_exchange(watched, steps, first=first)
                found += [unfair] if unfair is not None else []
                if found[-1].outcome == "explained":
                    return found[-1]
        wide = _widened(groups, watched.state)
        for watched in _starts(training, wide, dtype or "float64", seed) if wide else ():
            supposed = explain_splits(watched, steps)
            if supposed.outcome == "explained":
                proved = next(group.count for group in groups if group.name == supposed.units)
                remark = f"{proved} of them were proved equal, and all were supposed to be"
                return replace(supposed, remarks=(*supposed.remarks, remark))
        if units is None and (of_samples := explain_samples(training, seed)) is not None:
            return of_samples
        if unequal is not None:
            return unequal
    except TargetError as error:
        raise SymmetryError(f"{training.name}: {error}") from error
    return next((each for each in reversed(found) if each.step is not None), found[-1])


def _explain_unequal(training: Training, layers: Sequence[Unequal]) -> Explained | None:
    """Name the lines that make units of layers unequal: they were found with the equal ones.

    What takes units one by one, as a mixture does with its gates, may do so. None if there is no
    other.
    """
    told = {layer.place: layer for layer in reversed(layers) if layer.cause != "place"}
    culprits = [
        Culprit(
            operation=layer.operation,
            file=place.shown,
            line=place.line,
            source=place.source,
            phase="forward",
            module=layer.module,
            parameter="",
            rows="",
            step=1,
            cause=f"it {layer.does}",
            operands=(),
            result=None,
            difference=None,
            evidence=(_PROOFS[layer.cause],),
        )
        for place, layer in reversed(told.items())
    ]
    unequal = tuple(layer for layer in layers if layer.cause != "place")
    found = Explained(training.name, "unequal", 0, culprits=tuple(culprits), without_units=unequal)
    return found if unequal else None


def explain_samples(training: Training, seed: int = 0) -> Explained | None:
    """Explain why rearranged samples change a training; None if they do not, or may.

    Whether they may is judged as `symmetry/samples` is.
    """
    from symmetry.explanation.training import with_samples

    start = TrainingStart(training, "float64", seed)
    if judge_samples(start).violation is None:
        return None
    count = start.fresh.samples
    assert count is not None  # else they are not judged
    return explain_exchange(with_samples(start, count), STEPS)


def _starts(
    training: Training, groups: Sequence[Units], dtype: str, seed: int
) -> Iterator[WatchedStart]:
    """Yield starts of a training with clones: each unit differs from its clones in one of them."""
    from symmetry.explanation.training import with_clones

    for shift in range(_SHIFTS):
        yield with_clones(TrainingStart(training, dtype, seed), groups, shift)


def _widened(groups: Sequence[Units], state: State) -> list[Units]:
    """Return groups of which most units were proved equal, with all that their axes hold.

    A forward that treats a unit differently makes it no equal unit. A model that has several kinds
    of units on one axis has none that are most of it. Units that lie in one matrix only are what
    the data give a meaning to, such as classes: those that never occur are equal, others are not.
    """
    wide: dict[frozenset[tuple[str, int]], Units] = {}
    for group in groups:
        if any(part.within or part.arrays for part in group.parts):
            continue
        sharing = Counter((part.array, part.axis) for part in group.parts)  # such as gates
        if sum(state[array].ndim > 1 for array, _ in sharing) < 2:
            continue
        parts, laid = [], set()  # how many units there may be, and which of them are the group's
        for part in group.parts:
            length = state[part.array].shape[part.axis] // sharing[part.array, part.axis]
            firsts = part.places(group.count)[:, 0]
            start = int(firsts[0]) // length * length
            parts.append(Part(part.array, part.axis, start, part.block, part.block))
            laid.add((length // part.block, *((firsts - start) / part.block)))
        (count, *places), *others = laid
        whole = not others and not any(place % 1 for place in places)
        if whole and group.count < count < 2 * group.count:
            wide.setdefault(frozenset(sharing), Units(group.name, count, tuple(parts)))
    return [*wide.values()]


def explain_verdict(
    target: StepTarget | Training,
    verdict: Verdict,
    budget: int,
    units: Sequence[Units] | None = None,
) -> Explained | None:
    """Explain a violation that repeats and speaks of units, samples, inputs or classes.

    ``units`` are the groups that the check has found. Returns None if there is nothing to explain,
    or it takes more work than the ``budget``: samples times inputs times units times iterations.
    """
    if verdict.kind != "violated" or not verdict.repeats:
        return None
    if verdict.invariant not in (*_EXPLAINED, *_OF_DATA):
        return None
    try:
        if isinstance(target, Training) and verdict.invariant == _SAMPLES:
            return explain_samples(target)
        if isinstance(target, Training):
            found = explain_training(target, units, first=verdict.group or "")
            # What splits clones by rounding is not what is violated.
            return None if found.outcome == "rounding" else found
        case = verdict.case
        if case is None or case.n * case.i * case.h * case.iterations * _RUNS > budget:
            return None
        if verdict.invariant in _OF_DATA:
            return explain_data(target, case, _OF_DATA[verdict.invariant])
        if verdict.invariant in _FROM_ZERO:
            case = replace(case, weights="zero")
        return explain_case(target, case)
    except SymmetryError:
        return None
