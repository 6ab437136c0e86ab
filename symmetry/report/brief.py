"""A check as short JSON, for programs and agents that act on it: the shape is a promise."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from symmetry.base.errors import FAILED, FOUND, OK
from symmetry.base.notebooks import cell_of
from symmetry.checker.verdict import JUDGED, Checked, Verdict
from symmetry.explanation.explained import Explained
from symmetry.report.filling import command_line
from symmetry.report.problems import Problem, all_problems
from symmetry.report.verdicts import conclusion

SCHEMA = 3  # the version of the shape: it grows if a key changes or goes
BROKEN, SOUND, SO_FAR, CANNOT = "broken", "sound", "sound-so-far", "cannot-judge"
# Letters of a text; a longer one ends with dots, and the command shows the whole.
_FACT, _LINE, _WHY, _CONCLUSION = 300, 120, 120, 200
_SHOWN = 6  # reasons for invariants that are not judged: others are in one entry


def to_json(
    checked: Checked,
    explained: Explained | None = None,
    *,
    status: int | None = None,
    whole: bool = False,
) -> str:
    """Return a check as JSON.

    Parameters
    ----------
    checked
        The check.
    explained
        The explanation of its first violation that has one.
    status
        The exit status of the command, if it is not the one that the check means.
    whole
        Whether the reasons of all invariants that were not judged are there, not only a few.
    """
    return _dumped(brief(checked, explained, status=status, whole=whole))


def failed_json(target: str, why: str, status: int = FAILED) -> str:
    """Return the JSON of a target that could not be checked."""
    return _dumped(failed(target, why, status))


def brief(
    checked: Checked,
    explained: Explained | None = None,
    *,
    status: int | None = None,
    whole: bool = False,
) -> dict[str, Any]:
    """Return a check as JSON has it."""
    judged = dict.fromkeys(v.invariant for v in checked.verdicts if v.kind in JUDGED)
    status, how = checked.status if status is None else status, checked.facts.substitution
    return {
        **_head(checked.target, _verdict(checked), status, conclusion(checked)),
        "problems": [_problem(each) for each in all_problems(checked, explained)],
        "judged": [*judged],
        "not_judged": [*_not_judged(checked, judged, whole=whole)],
        "covered": vars(checked.facts.covered),
        "ran": None if how is None else how.words,
        "seconds": round(checked.seconds, 1),
    }


def failed(target: str, why: str, status: int = FAILED) -> dict[str, Any]:
    """Return the record of a target that could not be checked."""
    return {
        **_head(target, CANNOT, status, why),
        "problems": [],
        "judged": [],
        "not_judged": [],
        "covered": {},
        "ran": None,
        "seconds": 0.0,
    }


def _head(target: str, verdict: str, status: int, text: str) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "version": version("unit-symmetry"),
        "target": target,
        "verdict": verdict,
        "exit_status": status,
        "conclusion": _short(text, _CONCLUSION),
    }


def _verdict(checked: Checked) -> str:
    if checked.status == FOUND:
        return BROKEN
    if checked.cut and checked.status == OK:
        return SO_FAR
    return SOUND if checked.status == OK else CANNOT


def _problem(problem: Problem) -> dict[str, Any]:
    """Return a problem; its commands are for the folder in which the check ran."""
    cell = cell_of(problem.file, problem.line)
    return {
        "id": problem.id,
        "level": problem.level,
        "check": problem.check,
        **({"also": [*problem.invariants[1:]]} if problem.invariants[1:] else {}),
        "file": problem.file,
        **({"cell": cell.cell} if cell else {}),
        "line": cell.line if cell else problem.line,
        "code": _short(problem.source, _LINE),
        "fact": _short(problem.fact, _FACT),
        "likely_cause": _short(problem.cause, _FACT),
        "cure": {"text": _short(problem.cure, _FACT)},
        "repeat": problem.repeat or None,
        "about": problem.about,
    }


def _not_judged(
    checked: Checked, judged: Mapping[str, None], *, whole: bool
) -> Iterator[dict[str, Any]]:
    """Yield why invariants were not judged, and what would let them be, those to act on first.

    Invariants that have nothing to be about in the target share the last entry.
    """
    left = [v for v in checked.verdicts if v.invariant not in judged]
    reasons: dict[str, list[Verdict]] = {}
    for verdict in left:
        reasons.setdefault(verdict.message, []).append(verdict)
    told = sorted(reasons.items(), key=lambda item: _rank(item[1]))
    listed = [item for item in told if whole or _rank(item[1]) < 0]
    listed = listed if whole else listed[:_SHOWN]
    for why, verdicts in listed:
        yield _unjudged(verdicts, why, _judgeable(checked, verdicts[0]))
    shown = {v.invariant for _, verdicts in listed for v in verdicts}
    if others := [v for v in left if v.invariant not in shown]:
        more = command_line("check", checked.target, format="json", verbose=True)
        why = "the target has nothing that they are about"
        yield _unjudged(others, why, f"code of this kind; each reason: {more}")
    if option := checked.facts.resume_option:
        command = command_line("check", checked.target, resume_with=f"{option} ...")
        why = "it saves, and was not resumed"
        yield {"checks": ["resume/*"], "applies": True, "why": why, "judgeable": command}


def _unjudged(verdicts: Sequence[Verdict], why: str, judgeable: str) -> dict[str, Any]:
    names = [*dict.fromkeys(v.invariant for v in verdicts)]
    applies = any(verdict.kind != "not applicable" for verdict in verdicts)
    why = _short(why, _WHY)
    return {"checks": names, "applies": applies, "why": why, "judgeable": judgeable}


def _rank(verdicts: Sequence[Verdict]) -> int:
    """Return where a reason comes; below 0 if somebody may act on it."""
    kinds = {verdict.kind for verdict in verdicts}
    if kinds != {"not applicable"}:
        return -3 if "not finished" in kinds else -2
    return -1 if len({v.invariant for v in verdicts}) > 1 else 0


def _judgeable(checked: Checked, verdict: Verdict) -> str:
    """Say what would let an invariant be judged."""
    if verdict.kind == "not reached":
        return "a larger --budget" if checked.cut.startswith("within") else "a check to its end"
    if verdict.kind == "not finished":
        return "a larger --timeout, or a smaller model"
    return f"a run that has {verdict.about.witness}"


def _short(text: str, most: int) -> str:
    text = " ".join(text.split())
    return text if len(text) <= most else f"{text[: most - 4].rstrip()} ..."


def merged(texts: Iterable[str], others: Iterable[tuple[str, str]]) -> str:
    """Return several checks as an array, and behind them the targets that have none."""
    found = [json.loads(text) for text in texts]
    return _dumped([*found, *(failed(target, why) for target, why in others)])


def _dumped(found: Any) -> str:
    """Return JSON with a line for each key: short, and with few lines that change in a diff."""
    many = found if isinstance(found, list) else [found]
    texts = []
    for each in many:
        rows = []
        for key, value in each.items():
            if key in ("problems", "not_judged") and value:
                inner = ",\n  ".join(json.dumps(v, ensure_ascii=False) for v in value)
                rows.append(f'"{key}": [\n  {inner}]')
            else:
                rows.append(f'"{key}": {json.dumps(value, ensure_ascii=False)}')
        texts.append("{" + ",\n ".join(rows) + "}")
    return texts[0] if not isinstance(found, list) else "[" + ",\n".join(texts) + "]"
