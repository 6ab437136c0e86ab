"""A failure: its facts, and the commands that show it again.

Nothing is computed here: everything is read off the records, so that the terminal, the pytest face,
a notebook and the files say the same.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from enum import IntEnum
from typing import Any

from symmetry.base import ranks
from symmetry.base.devices import AUTO, DEVICE, RANKS, RESUMING
from symmetry.base.names import words_of
from symmetry.base.user_code import spell
from symmetry.checker.verdict import Checked, Verdict
from symmetry.law.measurement import Violation
from symmetry.report.filling import call, command_line
from symmetry.report.verdicts import ratio_in_words
from symmetry.units.words import count, in_ulps

Fact = tuple[str, str | None]  # a label, and a text; nothing where the fact does not apply


class Verbosity(IntEnum):
    """How much is said of a failure."""

    MESSAGE = 0  # what it is, how sure that is, how to repeat it: CI systems show the line
    ANSWER = 1  # what a person needs to act on it: terminal and notebook
    DETAILS = 2  # all that is known


_HERE = "__main__:"  # the module of a notebook, or of a script that calls symmetry
SIGNATURE = (
    "step(x, y, w1, w2, lr) -> (w1, w2), arrays of shapes (n, i), (n, c), (i + 1, h), (h + 1, c)"
)


def details(checked: Checked, verdict: Verdict, *others: Verdict) -> tuple[str, ...]:
    """Return a line that says what a failure means, and below it the facts, a line each.

    Returns nothing for a verdict that did not fail, or was expected to. ``others`` fail so in
    other dtypes.
    """
    if not _failed(verdict):
        return ()
    dtypes = " and ".join(each.dtype for each in (verdict, *others))
    heading = f"{verdict.invariant} in {dtypes}: {verdict.kind}{_meaning(verdict)}"
    facts = _facts(checked, verdict, others)
    return (heading, *(f"  {label:<10} {text}" for label, text in facts if text))


def failures(checked: Checked) -> tuple[tuple[str, ...], ...]:
    """Return the ``details`` of all that failed; those of the same error once.

    So are those of a training in both dtypes. Rounding is no news beside a violation of units.
    """
    alike: dict[object, list[Verdict]] = {}
    for v in checked.verdicts:
        key = (
            v.message if v.kind == "error" else (v.invariant, v.kind, v.about.two_layer and v.dtype)
        )
        alike.setdefault(key, []).append(v)
    broken = any(
        not v.about.two_layer and v.kind == "violated" and v.ratio for v in checked.verdicts
    )
    told = (
        details(checked, *verdicts[: len(verdicts) if verdicts[0].kind != "error" else 1])
        for verdicts in alike.values()
        if not (broken and verdicts[0].kind == "rounding")
    )
    return tuple(filter(None, told))


def _failed(verdict: Verdict) -> bool:
    """Return whether there is something to be explained, and repeated."""
    failed = verdict.kind in ("violated", "rounding", "error")
    return failed and (not verdict.about.two_layer or verdict.case is not None)


def _facts(checked: Checked, verdict: Verdict, others: Sequence[Verdict]) -> Iterable[Fact]:
    """Yield all facts of a failure; those that do not apply are empty."""
    violation, case, training = verdict.violation, verdict.case, not verdict.about.two_layer
    rounding = verdict.kind == "rounding"  # told in short: there is nothing to do about it
    violated = verdict.about if verdict.kind == "violated" else None
    yield "expected", SIGNATURE if verdict.kind == "error" and not training else ""
    yield "statement", violated.statement if violated else ""
    yield "found", verdict.message
    yield "line", spell(verdict.file, verdict.line) if verdict.file else ""
    if violation is not None and not (training and rounding):
        yield from _violation_facts(violation, verdict)
    if verdict.ratio is not None:
        yield (
            "ratio",
            "; in ".join(
                (ratio_in_words(verdict), *(f"{v.dtype} {ratio_in_words(v)}" for v in others))
            ),
        )
    yield from facts_of_case(verdict, Verbosity.DETAILS)
    if command := repetition(checked.target, verdict, *others):
        yield "reproduce", command
        yield "next", next_step(checked, verdict)
    elif case is not None and verdict.repeats:
        yield "reproduce", f"with the case {case.to_json()}"


def facts_of_case(verdict: Verdict, verbosity: Verbosity) -> Iterable[Fact]:
    """Yield which sizes or case fails, whether it does so again, and who may rightly violate it.

    Where there is nothing to do about a failure, as about rounding, it is told in short.
    """
    case, rounding = verdict.case, verdict.kind == "rounding"
    if verdict.smallest is not None:
        yield "sizes", verdict.smallest.in_words()
    if case is not None and not rounding:
        yield "case", case.in_words()
    more = count(verdict.reruns, "more run")
    if not verdict.repeats:
        yield "again", f"not repeatable: failed in {verdict.failures} of {more}"
    elif verbosity >= Verbosity.DETAILS and case is not None and verdict.reruns and not rounding:
        yield "again", f"failed in each of {more}"
    if verdict.kind == "violated" and verdict.about.rightly and verdict.about.two_layer:
        leave = f"--skip {verdict.invariant} leaves it out"
        yield "rightly", f"violated by a step that {verdict.about.rightly}: {leave}"


def _violation_facts(violation: Violation, verdict: Verdict) -> Iterable[Fact]:
    if not verdict.about.two_layer:
        if violation.iteration and violation.array:
            yield "where", f"step {violation.iteration}, {violation.array}"
        pair = ": {} and {}".format(*violation.units) if violation.units else ""
        yield "units", violation.group and violation.group + pair
    if violation.ulps is not None:
        relative = f", relative {violation.relative:.2g}" if violation.relative else ""
        yield "distance", in_ulps(violation.ulps) + relative
    if not verdict.about.two_layer:
        return
    if violation.allowed is not None:
        margin = verdict.margin if violation.allowed else None
        times = f": this is {margin:.3g} times as much" if margin else ""
        yield "allowed", f"at most {violation.allowed:.2g}{times}"
    yield "groups", violation.groups
    if violation.growth:  # the shape of the growth is what matters, not its digits
        (step, first), *others = violation.growth
        rest = (f", {distance:.2g} after {later}" for later, distance in others)
        yield "growth", f"relative {first:.2g} after step {step}{''.join(rest)}"


def _meaning(verdict: Verdict) -> str:
    """Return what a failure means to somebody who has not read of the invariants."""
    violation, what = verdict.violation, verdict.about.noun
    if verdict.kind == "error" or violation is None:
        drawn = verdict.about.two_layer
        return ", the step does not work in this case" if drawn else ", in the training itself"
    if verdict.kind == "rounding":
        return ", no sign of a bug: one unit's sums are rounded differently from another's"
    if violation.rounding:
        return " because it must hold exactly, though only by rounding: no sign of a bug"
    if verdict.margin is not None and (violation.rounding is None or verdict.about.two_layer):
        times = f"{verdict.margin:.3g}".replace("inf", "infinitely many")
        return f", by {times} times what rounding explains"
    if violation.rounding is False:
        return f", by more than rounding explains: the step {verdict.about.failure}"
    return f", and rounding is no excuse: a sound {what} never does this"


def repetition(target: str, verdict: Verdict, *others: Verdict) -> str:
    """Return the command that reproduces a failure, or a call in Python.

    Empty without both: a test makes the target, for example. The case of a step has its own line.
    """
    if has_name(target, verdict) or verdict.case or not (_failed(verdict) and verdict.repeats):
        return command_for(target, verdict, *others) or ""
    dtype = None if others else verdict.dtype
    return in_python(target, "check", only=verdict.invariant, dtype=dtype)


def in_python(target: str, function: str, **options: Any) -> str:
    """Return a call on a target that only its own session knows: in a notebook, for example."""
    name = target.removeprefix(_HERE)
    if "::" in target:
        return ""
    if ":" in target:
        return call(function, name if name.isidentifier() else "...", **options)
    return call("check_model", "...", **options) if function == "check" else ""


def command_for(target: str, verdict: Verdict, *others: Verdict) -> str | None:
    """Return the command that reproduces a failure, quoted for a shell.

    None if there is no failure, it does not repeat, or the target has no name to be found by.
    ``others`` fail in the same way in other dtypes.
    """
    if (
        not has_name(target, verdict)
        or not (_failed(verdict) or verdict.case)
        or not verdict.repeats
    ):
        return None
    by_rounding = verdict.kind == "violated" and verdict.violation and verdict.violation.rounding
    options: dict[str, Any] = {"exact": bool(by_rounding), "only": verdict.invariant}
    options["expect_units"] = verdict.violation and verdict.violation.pin
    if verdict.case is not None:
        return command_line("check", target, **options, case=verdict.case.to_json())
    if verdict.smallest is not None:  # of all that were drawn, these arguments fail
        target = verdict.smallest.target
        options["only"] = verdict.invariant if verdict.smallest.alone else None
    dtype = verdict.dtype if options["only"] and not others else ()
    if getattr(verdict.about, "ranks", False) and RANKS.get() > 1:
        options["ranks"] = RANKS.get()
    if getattr(verdict.about, "resumes", False) and RESUMING.get() is not None:
        options["resume_with"] = shlex.join(RESUMING.get() or ())
    if DEVICE.get() != AUTO:
        options["device"] = DEVICE.get()
    line = command_line("check", target, **options, dtype=dtype)
    number = ranks.world()
    return ranks.launcher().command.format(number=number, module=line) if number > 1 else line


def has_name(target: str, verdict: Verdict) -> bool:
    """Return whether the command line finds a target by its name: no model, and no test."""
    if "<" in target or "::" in target or target.startswith(_HERE):
        return False
    return verdict.about.two_layer or ":" in target or words_of(target) is not None


def next_step(checked: Checked, verdict: Verdict) -> str | None:
    """Return the command to try next: it names the operation which splits the units, for example.

    None without a split.
    """
    violation, case = verdict.violation, verdict.case
    if verdict.kind == "violated" and violation is not None:
        of_data = verdict.about.exchanges not in ("", "units")
        splits = violation.groups if verdict.about.two_layer else violation.group or of_data
        if splits:
            target = verdict.smallest.target if verdict.smallest else checked.target
            if not has_name(target, verdict):
                return in_python(target, "explain")
            return command_line("explain", target, case=case and case.to_json())
    return None
