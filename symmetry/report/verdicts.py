"""Verdicts for people and programs: one line each, the facts of a failure, and JSON.

Nothing is computed here: everything is read off the records, so that the terminal, the pytest face
and the files say the same.
"""

from __future__ import annotations

import json
import math
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from symmetry.checker.verdict import Checked, Kind, Verdict
from symmetry.invariants.catalogue import CATALOGUE
from symmetry.invariants.finding import Violation
from symmetry.units.words import count, in_ulps

Fact = tuple[str, str]

KINDS: tuple[Kind, ...] = (
    "violated",
    "error",
    "rounding",
    "expected failure",
    "holds",
    "vacuous",
    "not applicable",
)
_NAME = max(len(invariant.name) for invariant in CATALOGUE)
_KIND = max(map(len, KINDS))
_COMPARED = {invariant.name: invariant.compared for invariant in CATALOGUE}
_STATEMENTS = {invariant.name: invariant.statement for invariant in CATALOGUE}


def line(verdict: Verdict) -> str:
    """Return a verdict in one line."""
    return f"{verdict.invariant:{_NAME}}  {verdict.dtype}  {verdict.kind:{_KIND}}  {gist(verdict)}"


def gist(verdict: Verdict) -> str:
    """Return what a verdict comes to, without saying of what."""
    if verdict.stale:
        return f"was expected to fail ({verdict.reason}), but {_without_failure(verdict)}"
    if verdict.kind == "holds":
        return f"{_counted(verdict)}, {deviation(verdict)}"
    if verdict.kind == "vacuous":
        return f"{count(verdict.cases, 'case')} prove nothing: {verdict.message}"
    if verdict.kind == "expected failure":
        return f"{verdict.reason}: {verdict.message}"
    return verdict.message


def deviation(verdict: Verdict) -> str:
    """Say how far a verdict that holds was from a violation."""
    if _COMPARED.get(verdict.invariant, "exact") == "exact":
        return "no bit differs"
    if not verdict.margin:
        return "no deviation"
    return f"at most {_rounded_up(verdict.margin)} of the deviation allowed"


def facts(verdict: Verdict, command: str | None) -> tuple[Fact, ...]:
    """Return what there is to know of a failure, as pairs of a label and a text.

    Parameters
    ----------
    verdict
        One that has a case.
    command
        The command line that reproduces it; None if there is none.
    """
    found = [("claim", _STATEMENTS[verdict.invariant]), ("found", verdict.message)]
    if verdict.violation is not None:
        found += _violation_facts(verdict.violation, verdict.margin)
    found += [("case", _case_in_words(verdict)), ("again", _again(verdict))]
    if command is not None:
        return (*found, ("reproduce", command))
    assert verdict.case is not None
    return (*found, ("reproduce", f"with the case {verdict.case.to_json()}"))


def facts_in_lines(verdict: Verdict, command: str | None) -> tuple[str, ...]:
    """Return a heading and the ``facts``, a line each."""
    heading = f"{verdict.invariant} in {verdict.dtype}: {verdict.kind}"
    return (heading, *(f"  {label:<10} {text}" for label, text in facts(verdict, command)))


def command_line(trainer: str, verdict: Verdict) -> str | None:
    """Return the command that reproduces a failure, quoted for a shell.

    None if there is no failure, or no name by which the trainer can be found again.
    """
    if verdict.case is None or "<" in trainer or trainer.startswith("__main__:"):
        return None
    options = ["--only", verdict.invariant, "--case", verdict.case.to_json()]
    if verdict.kind == "rounding":
        options = ["--allow", "rounding", *options]
    return shlex.join(["symmetry", "check", trainer, *options])


def summary(verdicts: Sequence[Verdict]) -> str:
    """Count the verdicts by kind: ``2 violated, 18 hold``."""
    kinds = Counter(verdict.kind for verdict in verdicts)
    texts = [
        f"{kinds[kind]} {'hold' if kind == 'holds' and kinds[kind] > 1 else kind}"
        for kind in KINDS
        if kinds[kind]
    ]
    stale = sum(verdict.stale for verdict in verdicts)
    return ", ".join(texts) + (f" ({stale} against expectation)" if stale else "")


def to_json(checked: Checked) -> str:
    """Return a whole check for programs; the shape is a promise."""
    record = {
        "trainer": checked.trainer,
        "seed": checked.seed,
        "examples": checked.examples,
        "results": [_result(checked.trainer, verdict) for verdict in checked.verdicts],
    }
    return json.dumps(record, indent=2, allow_nan=False) + "\n"


def _result(trainer: str, verdict: Verdict) -> dict[str, Any]:
    violation = verdict.violation or Violation("", iteration=0, array="")
    found = verdict.violation is not None
    return {
        "name": verdict.invariant,
        "dtype": verdict.dtype,
        "verdict": verdict.kind,
        "cases": verdict.cases,
        "counted": verdict.counted,
        "max_ulps": verdict.max_ulps,
        "case": json.loads(verdict.case.to_json()) if verdict.case else None,
        "iteration": violation.iteration if found else None,
        "matrix": violation.array if found else None,
        "units": violation.units,
        "entry": violation.entry,
        "relative": _number(violation.relative),
        "groups": violation.groups,
        "growth": [[iteration, _number(distance)] for iteration, distance in violation.growth]
        if violation.growth
        else None,
        "rounding": violation.rounding,
        "message": gist(verdict),
        "command": command_line(trainer, verdict),
    }


def _number(value: float | None) -> float | str | None:
    """JSON has no infinities and no NaN."""
    return value if value is None or math.isfinite(value) else str(value)


def _counted(verdict: Verdict) -> str:
    return f"{verdict.counted:,} of {count(verdict.cases, 'case')} counted"


def _without_failure(verdict: Verdict) -> str:
    if verdict.kind == "vacuous":
        return f"no case failed, and {verdict.message}"
    return f"{_counted(verdict)} and none failed: drop the expectation"


def _violation_facts(violation: Violation, margin: float | None) -> Iterable[Fact]:
    yield "iteration", f"{violation.iteration}"
    entry = f"[{', '.join(map(str, violation.entry))}]" if violation.entry else ""
    yield "entry", f"{violation.array}{entry}"
    if violation.units:
        yield "units", " and ".join(map(str, violation.units))
    if violation.ulps is not None:
        relative = f", relative {violation.relative:.2g}" if violation.relative is not None else ""
        yield "distance", in_ulps(violation.ulps) + relative
    if violation.allowed is not None:
        yield "allowed", _allowed(violation.allowed, margin)
    if violation.groups:
        yield "groups", violation.groups
    if violation.growth:
        yield "growth", _growth(violation)
    if violation.rounding is not None:
        yield "rounding", _rounding(violation.rounding)


def _allowed(allowed: float, margin: float | None) -> str:
    if not allowed or margin is None:
        return f"at most {allowed:.2g}"
    return f"at most {allowed:.2g}: this is {margin:.3g} times as much"


def _growth(violation: Violation) -> str:
    """Join the relative distances; the shape of the growth is what matters, not its digits."""
    steps = [f"{distance:.2g} after step {k}" for k, distance in violation.growth[:1]]
    steps += [f"{distance:.2g} after {k}" for k, distance in violation.growth[1:]]
    return "relative " + ", ".join(steps)


def _rounding(explains: bool) -> str:
    if explains:
        return "the rounding of single steps can explain this: --allow rounding lets it pass"
    return "the rounding of single steps cannot explain this"


def _case_in_words(verdict: Verdict) -> str:
    case = verdict.case
    assert case is not None  # a failure has one
    return (
        f"{count(case.n, 'sample')}, {count(case.i, 'input')}, {count(case.h, 'hidden unit')}, "
        f"{count(case.c, 'class', 'classes')}; {count(case.iterations, 'iteration')} at learning "
        f"rate {case.lr:g}; data {case.data}, weights {case.weights}, seed {case.seed}"
    )


def _again(verdict: Verdict) -> str:
    if verdict.failures == verdict.reruns:
        return f"failed in each of {count(verdict.reruns, 'more run')} in this process"
    return (
        f"failed in {verdict.failures} of {count(verdict.reruns, 'more run')} in this process: "
        "the trainer does not repeat itself"
    )


def _rounded_up(margin: float) -> str:
    """Return three decimals that do not understate."""
    return f"{math.ceil(margin * 1000) / 1000:.3f}"
