"""Verdicts for people and programs: lines, the facts of a failure, what all of them mean, JSON.

Nothing is computed here: everything is read off the records, so that the terminal, the pytest face,
a notebook and the files say the same.
"""

import json
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import chain
from typing import Any, get_args

from symmetry.base import devices, ranks
from symmetry.base.errors import FAILED, FOUND, OK
from symmetry.base.names import words_of
from symmetry.base.records import dump
from symmetry.base.user_code import spell
from symmetry.checker.verdict import JUDGED, Checked, Kind, Verdict
from symmetry.finding.coverage import Dead, Unequal
from symmetry.law.measurement import Violation
from symmetry.law.note import Note
from symmetry.law.statements import REPEATABLE
from symmetry.report.filling import command_line
from symmetry.report.units import dead_record, layers_record, without_units
from symmetry.units.words import count, in_short, in_ulps

Fact = tuple[str, str | None]

KINDS: tuple[Kind, ...] = get_args(Kind)  # the worst first
SIGNATURE = (
    "step(x, y, w1, w2, lr) -> (w1, w2), arrays of shapes (n, i), (n, c), (i + 1, h), (h + 1, c)"
)
# What JSON has of a failure.
_OF_FAILURES = "iteration", "matrix", "units", "entry", "relative", "groups", "growth", "rounding"
SCHEMA = 1  # the version of the shape of JSON: it grows if a key changes or goes
_OUTCOMES = {OK: "sound", FOUND: "problems", FAILED: "not proved"}
_NAME = 20  # letters of a name in a column; a few are longer
_KIND = max(map(len, KINDS))


def line(verdict: Verdict) -> str:
    """Return a verdict in one line."""
    return f"{verdict.invariant:{_NAME}}  {verdict.dtype}  {verdict.kind:{_KIND}}  {gist(verdict)}"


def gist(verdict: Verdict) -> str:
    """Return the meaning of a verdict in a few words, without its invariant."""
    counted = f"{count(verdict.cases, 'run')} compared"
    if verdict.about.two_layer:
        counted = (
            f"{verdict.counted:,} of {count(verdict.cases, 'case')} could have failed; none did"
        )
    if verdict.stale:
        tested = f"{counted}: drop the expectation"
        found = f"it was not tested: {verdict.message}" if verdict.kind == "vacuous" else tested
        return f"was expected to fail ({verdict.reason}), but {found}"
    if verdict.kind == "holds":
        return counted + (f"; largest deviation: {deviation(verdict)}" if verdict.margin else "")
    before = {
        "vacuous": "not tested: ",
        "expected failure": f"{verdict.reason}: ",
        "rounding": "only by rounding: ",
    }
    return before.get(verdict.kind, "") + verdict.message


def deviation(verdict: Verdict) -> str:
    """Say how far a verdict that holds was from a violation."""
    if verdict.ratio is not None:
        return _ratio(verdict)
    if verdict.about.compared == "exact":
        return "no bit differs"
    if not verdict.margin:
        return "no deviation"
    return f"{math.ceil(verdict.margin * 1000) / 10:g} % of the limit"  # never understated


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
    """Yield the facts of a failure; those that do not apply are empty."""
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
        yield "ratio", "; in ".join((_ratio(verdict), *(f"{v.dtype} {_ratio(v)}" for v in others)))
    if verdict.smallest is not None:
        yield "sizes", verdict.smallest.in_words()
    if case is not None:
        if violated and violated.rightly:
            leave = f"--skip {verdict.invariant} leaves it out"
            yield "rightly", f"of a step that {violated.rightly}: {leave}"
        yield "case", "" if rounding else case.in_words()
        more = count(verdict.reruns, "more run")
        if not verdict.repeats:
            yield "again", f"not repeatable: failed in {verdict.failures} of {more}"
        elif verdict.reruns and not rounding:
            yield "again", f"failed in each of {more}"
    if command := command_for(checked.target, verdict, *others):
        yield "reproduce", command
        yield "next", next_step(checked, verdict)
    elif case is not None and verdict.repeats:
        yield "reproduce", f"with the case {case.to_json()}"


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


def command_for(target: str, verdict: Verdict, *others: Verdict) -> str | None:
    """Return the command that reproduces a failure, quoted for a shell.

    None if there is no failure, it does not repeat, or the target has no name to be found by.
    ``others`` fail in the same way in other dtypes.
    """
    if (
        not _has_name(target, verdict)
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
    if getattr(verdict.about, "ranks", False) and ranks.chosen() > 1:
        options["ranks"] = ranks.chosen()
    if devices.chosen() != devices.AUTO:
        options["device"] = devices.chosen()
    line = command_line("check", target, **options, dtype=dtype)
    return f"torchrun --nproc-per-node {ranks.world()} -m {line}" if ranks.world() > 1 else line


def _has_name(target: str, verdict: Verdict) -> bool:
    """Return whether the command line finds a target by its name: not a model of a notebook."""
    if "<" in target or target.startswith("__main__:"):
        return False
    return verdict.about.two_layer or ":" in target or words_of(target) is not None


def next_step(checked: Checked, verdict: Verdict) -> str | None:
    """Return the command to try next: it names the operation which splits the units, for example.

    None without a split, and for an error that more samples do not cure.
    """
    violation, case = verdict.violation, verdict.case
    if verdict.kind == "violated" and violation is not None:
        of_data = verdict.about.exchanges not in ("", "units")
        splits = violation.groups if verdict.about.two_layer else violation.group or of_data
        if splits:
            target = verdict.smallest.target if verdict.smallest else checked.target
            return command_line("explain", target, case=case and case.to_json())
    works = any(other.counted for other in checked.verdicts if other.dtype == verdict.dtype)
    if verdict.kind == "error" and case is not None and case.n == 1 and works:
        return command_line("check", checked.target, min_samples=2)
    return None


def summary(verdicts: Sequence[Verdict]) -> str:
    """Count the verdicts by kind: ``2 violated, 18 hold``."""
    numbers = Counter(verdict.kind for verdict in verdicts)
    several = {"holds": "hold"}
    found = ((numbers[kind], kind) for kind in KINDS if numbers[kind])
    return ", ".join(f"{n} {several.get(kind, kind) if n > 1 else kind}" for n, kind in found)


def conclusion(checked: Checked) -> str:
    """Return what all verdicts mean together, in a few words."""
    verdicts = checked.verdicts
    code = checked.status
    late = _late(verdicts)
    if code == 1:
        fails = any(verdict.kind == "error" for verdict in verdicts)
        return "; ".join(filter(None, (_gating(checked), "" if fails else late)))
    if late:
        return f"{late}, and nothing is violated so far"
    if checked.unmet:
        return f"a requirement is not met: {'; '.join(checked.unmet)}"
    if code == 2 and (unproved := [v for v in verdicts if v.unproved]):
        skips = " ".join(f"--skip {name}" for name in _names(unproved))
        reason = unproved[0].message.removeprefix("no equal units were found: ")
        reason = reason.removeprefix("units were not searched, because ")
        texts = (layer.text for layer in _dead(checked))
        reason = next(chain(texts, without_units(_layers(checked))), reason)
        return f"no equal units were checked: {reason}; {skips} lets it pass"
    if code == 2:
        why = dict.fromkeys(verdict.message.partition(" (")[0] for verdict in verdicts)
        return f"nothing was checked: {'; '.join(why)}"
    asked = [v for v in verdicts if v.about.exchanges == "units" and v.kind != "not applicable"]
    if asked and not any(v.counted or v.kind == "expected failure" for v in asked):
        return "no equal units were checked"
    expected = len(_names(v for v in verdicts if v.kind == "expected failure"))
    sound = "sound but for " + count(expected, "expected failure") if expected else "sound"
    exceptions = []
    if layers := _layers(checked):
        exceptions.append(f"{count(len(layers), 'layer')} without equal units")
    if dead := _dead(checked):
        exceptions.append(f"{count(len(dead), 'layer')} whose units are all 0")
    if exceptions:
        sound += f", {'and' if expected else 'but'} for {' and '.join(exceptions)}"
    return and_notes(sound, checked)


def and_notes(text: str, checked: Checked) -> str:
    """Return an outcome in words, and behind it the number of notes that do not gate."""
    notes = len(checked.notes) - len(checked.gating)
    return f"{text}{';' if ',' in text else ','} {count(notes, 'note')}" if notes else text


def _late(verdicts: Sequence[Verdict]) -> str:
    """Say which limit came first, and how many verdicts there are; empty if none did."""
    late = [verdict for verdict in verdicts if verdict.kind == "not finished"]
    if not late:
        return ""
    there = f"{len(verdicts) - len(late)} of {count(len(verdicts), 'verdict')}"
    return f"{late[0].message}: {there} are there"


def _layers(checked: Checked) -> Sequence[Unequal]:
    """Return the layers that the check of a training says nothing of: their units are not equal."""
    return checked.coverage.without_units if checked.coverage is not None else ()


def _dead(checked: Checked) -> Sequence[Dead]:
    """Return the layers of a training whose units are all 0."""
    return checked.coverage.dead if checked.coverage is not None else ()


def _idle(checked: Checked) -> Sequence[str]:
    """Return the modules of a training that no gradient reaches."""
    return checked.coverage.without_gradient if checked.coverage is not None else ()


def note_line(note: Note) -> str:
    """Return a note in one line: its name, the line of the user's code, and the fact."""
    where = f"{note.file}:{note.line}: " if note.file else ""
    return f"note: {note.name}: {where}{note.text}"


def remarks(checked: Checked) -> tuple[str, ...]:
    """Return notes, warnings of the target and conditions of the check, in lines."""
    notes = map(note_line, checked.notes)
    drawn = checked.sizes.lines() if checked.sizes is not None else ()
    how = _substitution(checked)
    rest = *_warnings(checked), *checked.remarks, *_limits(checked)
    return *notes, *how, *_part(checked), *drawn, *rest


def _substitution(checked: Checked) -> tuple[str, ...]:
    found = checked.substitution
    return (found.words, *found.lines()) if found is not None else ()


def limits(checked: Checked) -> tuple[str, ...]:
    """Return warnings of the target, and what a check does not cover, in lines."""
    drawn = checked.sizes.lines() if checked.sizes is not None else ()
    return *_part(checked), *drawn, *_warnings(checked), *_limits(checked)


def _part(checked: Checked) -> tuple[str, ...]:
    return (checked.part,) if checked.part else ()


def _warnings(checked: Checked) -> tuple[str, ...]:
    return tuple(f"warning: {text}" for text in checked.warnings)


def _limits(checked: Checked) -> tuple[str, ...]:
    dead = _dead(checked)
    told = {module for layer in dead for module in layer.silent}
    idle = [module for module in _idle(checked) if module not in told]
    silent = (f"no gradient reaches {in_short(idle)} in the first two steps",) if idle else ()
    return *(layer.text for layer in dead), *silent, *without_units(_layers(checked))


def last_line(checked: Checked) -> str:
    """Return the line that ends what is printed: what it means, and how many verdicts there are."""
    return f"{conclusion(checked)} ({summary(checked.verdicts)})"


def judged(checked: Checked) -> str:
    """Return how many invariants were judged: in one precision, or in both."""
    return count(len({v.invariant for v in checked.verdicts if v.kind in JUDGED}), "check")


def to_json(checked: Checked) -> str:
    """Return a whole check for programs; the shape is a promise."""
    return dump(record(checked)) + "\n"


def record(checked: Checked) -> dict[str, Any]:
    """Return a whole check as JSON has it."""
    return {
        "schema": SCHEMA,
        "version": version("unit-symmetry"),
        "target": checked.target,
        "verdict": _OUTCOMES[checked.status],
        "exit_status": checked.status,
        "conclusion": conclusion(checked),
        "trainer": checked.target,
        "seed": checked.seed,
        "examples": checked.examples,
        "results": [_result(checked.target, verdict) for verdict in checked.verdicts],
        "complete": checked.complete,
        "warnings": [*checked.warnings],
        "notes": [vars(note) for note in checked.notes],
        "without_units": layers_record(_layers(checked)),
        "without_gradient": [*_idle(checked)],
        "dead": dead_record(_dead(checked)),
        "drawn": None if checked.sizes is None else vars(checked.sizes),
        "substitution": None if checked.substitution is None else checked.substitution.record(),
    }


def _result(target: str, verdict: Verdict) -> dict[str, Any]:
    arguments = dict(verdict.smallest.values) if verdict.smallest is not None else None
    more = ("steps", "array", "group", "ratio", "threshold") if not verdict.about.two_layer else ()
    return {
        "name": verdict.invariant,
        "dtype": verdict.dtype,
        "verdict": verdict.kind,
        "cases": verdict.cases,
        "counted": verdict.counted,
        "max_ulps": verdict.max_ulps,
        "case": json.loads(verdict.case.to_json()) if verdict.case else None,
        **{name: getattr(verdict, name) for name in _OF_FAILURES},
        "message": gist(verdict),
        "found": verdict.found,
        "file": verdict.file,
        "line": verdict.line,
        "command": command_for(target, verdict),
        **{name: getattr(verdict, name) for name in more},
        **({} if verdict.about.two_layer else {"arguments": arguments}),
    }


def _gating(checked: Checked) -> str:
    """Say how many invariants failed, and where to look first."""
    verdicts = checked.verdicts
    violated = _names(v for v in verdicts if v.kind == "violated")
    texts = []
    if error := next((verdict for verdict in verdicts if verdict.kind == "error"), None):
        fails = f"the training fails: {error.message}"
        look = f"the target does not work: look at {error.invariant}"
        texts.append(look if error.about.two_layer else fails)
    if violated:
        first = REPEATABLE.name if REPEATABLE.name in violated else violated[0]
        look = first + (" first" if len(violated) > 1 else "")
        texts.append(f"{count(len(violated), 'invariant')} violated: look at {look}")
    if checked.gating:
        names = ", ".join(dict.fromkeys(note.name for note in checked.gating))
        texts.append(f"{count(len(checked.gating), 'note')} that must not be there: {names}")
    if stale := _names(v for v in verdicts if v.stale):
        texts.append(f"expected to fail, but not failing: {', '.join(stale)}")
    return "; ".join(texts)


def _names(verdicts: Iterable[Verdict]) -> list[str]:
    """Return the invariants of the verdicts, each once."""
    return list(dict.fromkeys(verdict.invariant for verdict in verdicts))


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


def _ratio(verdict: Verdict) -> str:
    return f"{verdict.ratio:.2g} responses, limit {verdict.threshold:g}"
