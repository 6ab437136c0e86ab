"""Checking a step: every invariant on every case, and the smallest case of what goes wrong.

Some verdicts have one cause: a step that draws, ignores its weights, or computes no numbers.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from symmetry.base.errors import SymmetryError, TargetError
from symmetry.base.raised import heard
from symmetry.checker.examiner import Examiner, verdict_of
from symmetry.checker.options import CASES
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.verdict import Verdict
from symmetry.law.case import WEIGHTS, Case
from symmetry.law.invariant import Invariant
from symmetry.law.statements import REPEATABLE
from symmetry.sandbox.confinement.confined import refusal
from symmetry.steps.cases import COMMON, MAX_RUNS, make_start, shrink
from symmetry.steps.catalogue import StepInvariant
from symmetry.steps.invariants.splits import elaborated, explained
from symmetry.steps.start import StepStart
from symmetry.steps.step import TwoLayerStep
from symmetry.training.run_facts import RunFacts
from symmetry.units.state import finite, identical
from symmetry.units.words import count


def diagnose(target: TwoLayerStep, verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """Return what is wrong with the step as a whole, in lines; none where its verdicts are good.

    Two steps from common numbers show it: 8 samples from 0 to 1, the same ones from other weights.
    Where runs do not repeat themselves, a third one is observed for random numbers.
    """
    dtypes = dict.fromkeys(v.dtype for v in verdicts if v.kind in ("violated", "vacuous"))
    texts = [text for dtype in dtypes for text in _wrong(target, dtype)]
    if any(v.invariant == REPEATABLE.name and v.kind == "violated" for v in verdicts):
        texts += _draws(target, next(iter(dtypes)))
    return tuple(dict.fromkeys(texts))


def _wrong(target: TwoLayerStep, dtype: str) -> tuple[str, ...]:
    case = replace(COMMON, dtype=dtype)
    start, other = replace(make_start(case), target=target), make_start(replace(case, seed=1))
    try:
        after, other_after = start.step(), start.at({"w1": other.w1, "w2": other.w2}).step()
    except TargetError:
        return ()
    if not finite(after):
        return ("the first step gives NaN or infinity, even from numbers of order 1",)
    if identical(after, other_after):
        return ("the step ignores w1 and w2: from other weights it returns the same ones",)
    if identical(after, start.state):
        return ("the step returns w1 and w2 as they came",)
    return ()


def _draws(target: TwoLayerStep, dtype: str) -> list[str]:
    """Say which operations of a step draw random numbers, and where."""
    from symmetry.observe.source_line import SourceLines
    from symmetry.observe.tape import Event, Tape
    from symmetry.steps.observe.running import observing

    start = make_start(replace(COMMON, dtype=dtype))
    arguments = start.x, start.y, start.w1, start.w2, start.lr
    texts: dict[str, None] = {}

    def note(event: Event) -> None:
        call = event.call
        if call.random:
            where = str(call.place) or "code that is in no file"
            texts[f"{call.name} draws random numbers in each step: {where}"] = None

    try:
        run = target.start()
        run(*arguments)  # it may compile
        with observing(Tape(note), target.target, SourceLines()):
            run(*arguments)
    except TargetError:
        pass
    return list(texts)


_ROUNDING_RUNS = 60  # to make its case smaller: each asks for many more, and it does not gate
_RERUNS = 3  # of the smallest case, to see whether it fails every time
_SPANS = ("n", "i", "h", "c", "lr", "iterations")


def fit(case: Case, invariant: StepInvariant) -> Case:
    """Return the case with a start that can have the invariant's witness.

    Sizes, data and seed stay, and so does the start where it can have it.
    """
    cloned = case.weights.startswith("cloned")
    start = case.weights if case.weights == "zero" else "cloned" if cloned else "random"
    possible = invariant.weights
    if start in possible:
        return case
    if "zero" in possible:
        return replace(case, weights="zero")
    if "random" in possible:
        return replace(case, weights="scaled")
    weights = f"cloned-{case.weights}"
    return replace(case, weights=weights if weights in WEIGHTS else "cloned")


class StepExaminer(Examiner):
    """A two-layer step, and its errors that were reported.

    Errors are the same if only the numbers in their messages differ, and each is reported once. A
    step that does not even work on a small case of common sizes gets no further verdict in that
    dtype.
    """

    def __init__(self, target: TwoLayerStep, plan: Plan, progress: Progress) -> None:
        super().__init__(plan, progress)
        self.target = target
        self.dtypes = tuple(dict.fromkeys(case.dtype for case in plan.cases))
        drawn = plan.options.examples or CASES
        self.examples = len(plan.cases) if plan.given else drawn
        self._told: set[str] = set()
        self._warned: dict[str, str] = {}  # what the step warns of, by kind and line
        self._works: dict[str, str] = {}  # how it does not work on a common case, by dtype

    def remarks(self, verdicts: Sequence[Verdict]) -> Sequence[str]:
        """Return the causes that several verdicts share, and the remarks of the plan."""
        return *diagnose(self.target, verdicts), *self.plan.remarks

    def examine(self, invariant: Invariant, dtype: str) -> Verdict | None:
        """Run the cases and return the verdict; None where that is hopeless."""
        if self._hopeless(dtype):
            return None
        entry = _entry(invariant)
        cases = [fit(case, entry) for case in self.plan.cases if case.dtype == dtype]
        with heard() as warned:
            verdict = self._run(entry, dtype, cases)
        self._warned = {**warned, **self._warned}
        self.facts = RunFacts(warnings=tuple(self._warned.values()))
        self.progress.examined(verdict)
        return verdict

    def _hopeless(self, dtype: str) -> bool:
        """Return whether a reported error is all that can be got out of the step."""
        if not self._told or dtype not in self.target.dtypes:
            return False
        if dtype not in self._works:
            common = _start_of(self.target, replace(COMMON, dtype=dtype))
            self._works[dtype] = ""
            try:
                deque(common.run(), maxlen=0)
            except TargetError as error:
                self._works[dtype] = _without_numbers(str(error))
        return self._works[dtype] in self._told

    def _run(self, invariant: StepInvariant, dtype: str, cases: Sequence[Case]) -> Verdict:
        """Run the cases until one fails; but rounding and reported errors hide nothing."""
        verdict = Verdict(invariant, dtype, "holds")
        if dtype not in self.target.dtypes:
            message = f"the step takes {' and '.join(self.target.dtypes)} only"
            return replace(verdict, kind="not applicable", message=message)
        seen: list[Verdict] = []
        failed: Verdict | None = None
        for number, case in enumerate(cases):
            self.progress.case(invariant.name, dtype, number, len(cases), case)
            seen.append(found := self._measure(invariant, case))
            if found.kind in ("holds", "vacuous") or self._knows(found):
                continue
            if found.kind != "rounding":
                failed = found
                break
            failed = failed or found
        counting = [v.case for v in seen if v.counted]
        verdict = self._failed(invariant, failed) if failed else _passed(verdict, seen)
        return replace(
            verdict,
            cases=number + 1,
            counted=len(counting),
            spans=tuple(_span([getattr(c, key) for c in counting]) for key in _SPANS if counting),
        )

    def _measure(
        self, invariant: StepInvariant, case: Case, start: StepStart | None = None
    ) -> Verdict:
        blank = Verdict(invariant, case.dtype, "holds", case=case)
        start = start or _start_of(self.target, case)
        try:
            measured = invariant.measured(start)
            splits = (
                invariant.splits and measured.violation is not None and not self.plan.options.exact
            )
            rounding = splits and explained(start)
        except TargetError as error:
            if (cause := error.__cause__) and isinstance(cause, PermissionError):
                self._refuse(cause)
            return replace(blank, kind="error", cases=1, message=str(error))
        return verdict_of(blank, measured, runs=1, rounds=rounding)

    def _refuse(self, error: PermissionError) -> None:
        """Raise an error if the kernel refused a write of the step: it runs in no mirror."""
        if error.filename and refusal(self.target.name):
            folder = Path(os.fsdecode(error.filename)).absolute().parent
            raise SymmetryError(
                f"{self.target.name}: not checked: it writes to {folder}, and a check changes no "
                f"files of yours; allow it with --writable {folder}"
            ) from error

    def _knows(self, failure: Verdict) -> bool:
        return failure.kind == "error" and _without_numbers(failure.message) in self._told

    def _failed(self, invariant: StepInvariant, failure: Verdict) -> Verdict:
        """Describe a failure by the smallest case that fails in the same way."""
        self._tell(failure)
        if not self.plan.given:
            failure = self._shrunk(invariant, failure)
            self._tell(failure)
        case, violation = failure.case, failure.violation
        assert case is not None
        fresh = (_bound(self.target, case) for _ in range(_RERUNS))
        again = [self._measure(invariant, case, start).kind for start in fresh]
        failures = again.count(failure.kind)
        if violation is not None and invariant.splits and failures == _RERUNS:  # or it is no growth
            violation = elaborated(_start_of(self.target, case), violation)
        return replace(failure, violation=violation, failures=failures, reruns=_RERUNS)

    def _tell(self, failure: Verdict) -> None:
        if failure.kind == "error":
            self._told.add(_without_numbers(failure.message))

    def _shrunk(self, invariant: StepInvariant, failure: Verdict) -> Verdict:
        """Cut the run after the iteration that failed, then try everything else."""

        def fails(candidate: Case) -> Verdict | None:
            found = self._measure(invariant, candidate)
            return found if found.kind == failure.kind else None

        case = failure.case
        assert case is not None
        if failure.violation:
            shorter = replace(case, iterations=failure.violation.iteration)
            failure = fails(shorter) or failure
        runs = MAX_RUNS if failure.kind != "rounding" else _ROUNDING_RUNS
        _, failure = shrink(failure.case or case, failure, fails, runs)
        return failure


def _passed(verdict: Verdict, seen: Sequence[Verdict]) -> Verdict:
    measured = [v for v in seen if v.kind != "error"]
    message = ""
    if not measured:
        message = "the step works in no case, as an error above says"
    elif not any(v.counted for v in measured):
        about = _entry(verdict.about)
        normal = f" ({about.normal})" if about.normal else ""
        message = f"{about.otherwise} in {count(len(seen), 'case')}{normal}"
    return replace(
        verdict,
        kind="vacuous" if message else "holds",
        max_ulps=max((v.max_ulps or 0 for v in measured), default=0),
        margin=max((v.margin for v in measured if v.margin is not None), default=None),
        message=message,
    )


def _entry(invariant: Invariant) -> StepInvariant:
    assert isinstance(invariant, StepInvariant)  # the catalogue of steps has no others
    return invariant


def _bound(target: TwoLayerStep, case: Case) -> StepStart:
    return replace(make_start(case), target=target)


_start_of = lru_cache(256)(_bound)  # the invariants share starts, and some of them a run as well


def _span(values: Sequence[float]) -> str:
    """Say between which values all of these are."""
    least, largest = min(values), max(values)
    return f"{least:g}" if least == largest else f"{least:g} to {largest:g}"


def _without_numbers(message: str) -> str:
    return re.sub(r"\d+", "0", message)
