"""Comparing two-layer steps with a reference: on drawn cases, and the smallest that differs.

Their weights show where two steps first differ: forward, backward or update. Nothing inside of a
step is seen. But w2's bias row moves by the mean of the outputs' errors, which only the forward
decides on; w2's hidden rows and w1 by what the backward makes of them; and an update that is
another one moves all arrays by the same multiple, or by a multiple of the weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from symmetry.base.errors import SymmetryError, TargetError
from symmetry.base.randomness.random import Random
from symmetry.checker.options import CASES
from symmetry.comparison.options import ComparisonOptions
from symmetry.comparison.outcome import Compared, ComparedTraining, DtypeResult, FirstDifference
from symmetry.law.case import Case, with_distinct_sizes
from symmetry.law.judge import LARGEST_RESPONSE, Ratios, judge, ratio, worst
from symmetry.steps.cases import make_start, shrink
from symmetry.steps.response import response
from symmetry.steps.start import StepStart
from symmetry.steps.step import TwoLayerStep
from symmetry.units.state import (
    Array,
    State,
    difference,
    finite,
    has_moved,
    identical,
    largest,
)

Doubles = NDArray[np.float64]


def phase_of(
    start: State,
    mine: State,
    theirs: State,
    responses: Mapping[str, float],
    limit: float,
    *,
    alone: bool,
) -> tuple[str, str]:
    """Return the phase, and the evidence for it.

    Parameters
    ----------
    start, mine, theirs
        The weights before the step, and after the step of the reference and of the other: ``w1`` of
        shape (i + 1, h) and ``w2`` of shape (h + 1, c), row 0 of each the bias.
    responses, limit
        How far one ulp moves each array, and by how many of these the two may differ.
    alone
        Whether this step differs if it is the first one from there.
    """
    if not alone:
        return (
            "update",
            "a fresh step from there agrees, so a state that is kept between steps does not",
        )
    allowed = {name: limit * responses.get(name, 0.0) for name in mine}
    moved = {name: _moved(start[name], mine[name]) for name in mine}
    other = {name: _moved(start[name], theirs[name]) for name in mine}
    factor = _multiple(moved, other)
    if _explains(moved, other, allowed, factor):
        return "update", f"all weights move {factor:.6g} times as far"
    rest = {name: other[name] - moved[name] for name in mine}
    weights = {name: start[name].astype(np.float64) for name in mine}
    decay = _multiple(weights, rest)
    if decay and _explains(weights, rest, allowed, decay):
        return "update", f"the weights change by {decay:.6g} of themselves beside the gradient"
    apart = {name: abs(rest[name]) > allowed[name] for name in mine}
    if apart["w2"][0].any():
        return "forward", "the bias row of w2 moves otherwise, as the mean error of the outputs"
    agrees = "the bias row of w2 agrees, and with it the outputs"
    if not apart["w2"].any():
        return "backward", f"{agrees}; so do the hidden rows of w2; w1 does not"
    both = " and w1" if apart["w1"].any() else ""
    return "backward", f"{agrees}; the hidden rows of w2{both} do not"


def _moved(before: Array, after: Array) -> Doubles:
    return np.subtract(after, before, dtype=np.float64)


def _multiple(a: Mapping[str, Doubles], b: Mapping[str, Doubles]) -> float:
    """Return the number of times that ``a`` is most nearly ``b``."""
    whole = sum(float((x * x).sum()) for x in a.values())
    return sum(float((a[name] * b[name]).sum()) for name in a) / whole if whole else 0.0


def _explains(
    a: Mapping[str, Doubles], b: Mapping[str, Doubles], allowed: Mapping[str, float], factor: float
) -> bool:
    """Return whether ``b`` is a multiple of ``a``, up to rounding."""
    return all(largest(b[n] - factor * a[n]) <= max(1.0, abs(factor)) * allowed[n] for n in a)


_NEARBY = 121  # a stream of a case's seed

States = list[dict[str, Array]]
_Sides = tuple[States, States]


def compare_steps(
    reference: TwoLayerStep, others: Sequence[TwoLayerStep], options: ComparisonOptions
) -> Compared:
    """Compare each of the others with the reference, on the same cases.

    Raises
    ------
    SymmetryError
        If the reference does not run or does not repeat itself, or takes none of the dtypes.
    """
    found = tuple(_StepPair(reference, other, options).compared() for other in others)
    return Compared(reference.name, found)


@dataclass(frozen=True)
class CaseDeviation:
    """The largest deviation on one case, of what can be judged."""

    case: Case
    step: int  # from 1
    array: str  # ``"w1"`` or ``"w2"``
    ratio: float  # the deviation divided by the response
    limit: float  # what rounding explains, on a case of these sizes

    @property
    def differs(self) -> bool:
        """Whether it is more than rounding explains."""
        return self.ratio > self.limit


def cases_in(options: ComparisonOptions, dtype: str) -> tuple[Case, ...]:
    """Return the cases of one dtype: the given ones, or else drawn ones."""
    if options.cases is None:
        from symmetry.steps.drawn_cases import draw_cases  # imports Hypothesis

        return draw_cases(options.examples or CASES, options.seed, (dtype,))
    return tuple(case for case in options.cases if case.dtype == dtype)


class _StepPair:
    """A step, and the reference that it is compared with."""

    def __init__(
        self, reference: TwoLayerStep, other: TwoLayerStep, options: ComparisonOptions
    ) -> None:
        self._reference, self._other, self._options = reference, other, options

    def compared(self) -> ComparedTraining:
        """Compare them in all dtypes; an error of the step is the outcome."""
        takes = [*self._reference.dtypes, *self._other.dtypes]
        dtypes = [dtype for dtype in self._options.dtypes if takes.count(dtype) == 2]
        if not dtypes:
            raise SymmetryError(
                f"{self._reference.name} takes {' and '.join(self._reference.dtypes)}, and "
                f"{self._other.name} takes {' and '.join(self._other.dtypes)}"
            )
        results, first = list[DtypeResult](), None
        cases = {dtype: cases_in(self._options, dtype) for dtype in dtypes}
        if not any(cases.values()):
            raise SymmetryError(f"no case is in {' or '.join(dtypes)}")
        for dtype in filter(cases.get, dtypes):
            try:
                result, place = self._result(dtype, cases[dtype])
            except TargetError as error:
                return ComparedTraining(self._other.name, same=False, error=str(error))
            results.append(result)
            first = first or place
        judged = any(result.ratio is not None for result in results)
        same = not any(result.differs for result in results) if judged else None
        return ComparedTraining(self._other.name, same, first, tuple(results))

    def _result(
        self, dtype: str, cases: Sequence[Case]
    ) -> tuple[DtypeResult, FirstDifference | None]:
        """Judge all cases in one dtype, up to the first that differs."""
        worst: CaseDeviation | None = None
        judged = 0
        for number, case in enumerate(cases):
            found = self._measured(case, number, len(cases))
            if found is None:
                continue
            judged += 1
            if found.differs:
                smallest = self._shrunk(found)
                return _result(dtype, smallest, number + 1), self._first(found, smallest)
            if worst is None or found.ratio / found.limit > worst.ratio / worst.limit:
                worst = found
        if worst is None:
            why = "cannot judge: nothing moves, or rounding moves all by 1 % and more, in all cases"
            return DtypeResult(dtype, None, None, None, math.inf, note=why), None
        return _result(dtype, worst, judged), None

    def _measured(self, case: Case, number: int = 0, of: int = 1) -> CaseDeviation | None:
        """Return the largest ratio on a case; None if nothing of it can be judged."""
        steps = min(case.iterations, self._options.steps)
        start = replace(make_start(case), iterations=steps)
        mine = replace(start, target=self._reference)
        theirs = replace(start, target=self._other)
        a = self._run_reference(mine, case, number, of)
        self._options.tell(self._other.name, case.dtype, number, of, case)
        b = list(theirs.run())
        if not has_moved(start.state, a):
            return None
        again = partial(self._must_repeat, a, mine, case, number, of)
        if not number:
            again()

        def measures() -> Iterator[Callable[[_Sides], Ratios[str]]]:
            yield partial(_ratios, responses=_responses(mine, a, b))
            if number:
                again()
            yield partial(_ratios, responses=_larger(mine, theirs, a, b))

        return _largest(case, judge((a, b), measures(), start.limit), start.limit)

    def _must_repeat(
        self, states: States, start: StepStart, case: Case, number: int, of: int
    ) -> None:
        if not _same(states, self._run_reference(start, case, number, of)):
            raise SymmetryError(
                f"{self._reference.name} does not repeat itself: a second run of the case "
                f"{case.to_json()} gives other weights"
            )

    def _run_reference(self, start: StepStart, case: Case, number: int, of: int) -> States:
        self._options.tell(self._reference.name, case.dtype, number, of, case)
        try:
            return list(start.run())
        except TargetError as error:
            raise SymmetryError(f"the reference does not run: {error}") from error

    def _shrunk(self, found: CaseDeviation) -> CaseDeviation:
        """Return how the smallest case differs that was found; a given one stays as it is."""
        if self._options.cases is not None:
            return found

        def fails(case: Case) -> CaseDeviation | None:
            again = self._measured(case)
            return again if again is not None and again.differs else None

        _, smallest = shrink(found.case, found, fails)
        return smallest

    def _first(self, found: CaseDeviation, smallest: CaseDeviation) -> FirstDifference:
        """Return where they first differ, on a case whose axes are all of another length."""
        distinct = self._measured(with_distinct_sizes(smallest.case))
        seen = distinct if distinct is not None and distinct.differs else found
        start = replace(make_start(seen.case), iterations=seen.step)
        mine, theirs = replace(start, target=self._reference), replace(start, target=self._other)
        if seen.step > 1:
            before = list(mine.run(seen.step - 1))[-1]
            mine, theirs = mine.at(before), theirs.at(before)
        a, b = list(mine.run(1)), list(theirs.run(1))
        larger = _larger(mine, theirs, a, b)
        alone = _largest(seen.case, _ratios((a, b), larger), start.limit)
        phase, text = phase_of(
            *(mine.state, a[0], b[0], larger[0], start.limit),
            alone=alone is not None and alone.differs,
        )
        return FirstDifference(
            phase, None, None, None, seen.step, f"the {phase} of step {seen.step}: {text}"
        )


def _result(dtype: str, found: CaseDeviation, cases: int) -> DtypeResult:
    where = (dtype, found.step, found.array, found.ratio, found.limit)
    case = found.case.to_json() if found.differs else ""
    return DtypeResult(*where, arrays=2, steps=found.step, cases=cases, case=case)


def _largest(case: Case, ratios: Ratios[str], limit: float) -> CaseDeviation | None:
    """Return the largest ratio, of the first step that has one above; None without one."""
    if not any(ratios):
        return None
    step, array = worst(ratios, limit)
    return CaseDeviation(case, step + 1, array, ratios[step][array], limit)


def _ratios(sides: _Sides, responses: Sequence[Mapping[str, float]]) -> Ratios[str]:
    """Return deviation by response of what can be judged, up to the last finite step."""
    ratios: Ratios[str] = []
    for mine, theirs, known in zip(*sides, responses, strict=False):
        if not finite(mine) and not finite(theirs):
            break
        gaps = {name: difference(array, theirs[name]) for name, array in mine.items()}
        ratios.append(
            {
                name: ratio(gap, known.get(name, 0.0))
                for name, gap in gaps.items()
                if gap == math.inf
                or (name in known and known[name] <= LARGEST_RESPONSE * largest(mine[name]))
            }
        )
    return ratios


def _responses(start: StepStart, a: States, b: States) -> list[dict[str, float]]:
    """Return the response after each step; where nothing deviates, the least one is enough."""
    if _same(a, b):
        return [response(state, []) or {} for state in a]
    near = [
        (list(neighbour.run()), shift)
        for neighbour, shift in start.nearby(Random(start.seed, _NEARBY))
    ]
    return [
        response(state, [(run[step], shift) for run, shift in near]) or {}
        if all(len(run) > step for run, _ in near)
        else {}
        for step, state in enumerate(a)
    ]


def _larger(mine: StepStart, theirs: StepStart, a: States, b: States) -> list[dict[str, float]]:
    """Return the larger response of both: the other may be less accurate by design."""
    both = zip(_responses(mine, a, b), _responses(theirs, b, a), strict=False)
    return [{name: max(x[name], y[name]) for name in x if name in y} for x, y in both]


def _same(a: States, b: States) -> bool:
    return len(a) == len(b) and all(identical(x, y) for x, y in zip(a, b, strict=True))
