"""The report of many targets, from the line of JSON that each has: what is suspicious comes first.

Nothing in it changes from run to run: the seconds that a target took stay in its line.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from symmetry.base.errors import FAILED, FOUND, OK
from symmetry.checker.verdict import Checked, Verdict, exit_code_accepting
from symmetry.explanation.explained import Explained
from symmetry.report.brief import merged, to_json
from symmetry.report.files import ReportFiles
from symmetry.report.filling import fill_in, render
from symmetry.report.record import record
from symmetry.report.verdicts import conclusion, deviation, summary
from symmetry.training.response import THRESHOLDS
from symmetry.units.words import count

Line = Mapping[str, Any]
MARKDOWN, PAGE = "models.md", "models.html"
_SUSPICIONS = (  # the worst first
    "violated",
    "error",
    "not finished",
    "not reached",
    "layers without units",
    "modules without gradient",
    "only some units are equal",
    "vacuous",
    "sound",
)
_ENDS = {  # what the messages say of a check that is not whole
    "time": ("(--budget)", "(--timeout)"),
    "killed": ("process was killed (",),
}


def line_of(checked: Checked, explained: Explained | None = None) -> dict[str, Any]:
    """Return the record of a check for the process that checks many targets."""
    table = {
        "exit_code": checked.status,
        "exit_code_accepting": exit_code_accepting(checked),
        "in_short": conclusion(checked),
        "float32": _kinds(checked, "float32"),
        "float64": _kinds(checked, "float64"),
        "largest": _largest(checked),
        "units": _units(checked),
        "parameters": checked.coverage.parameters if checked.coverage else None,
        "notes": list(checked.remarks),
    }
    return {**record(checked), "table": table, "brief": to_json(checked, explained)}


def ended(line: Line) -> str:
    """Return how a check ended: whole, or cut short by a limit of time or by its system."""
    texts = [line.get("error", ""), *(result["message"] for result in line["results"])]
    text = "\n".join(texts)
    return next((end for end, signs in _ENDS.items() if any(s in text for s in signs)), "whole")


def suspicion(line: Line) -> str:
    """Return the worst finding on a target."""
    kinds, code = {result["verdict"] for result in line["results"]}, _code(line)
    facts = (
        "violated" in kinds or (code == FOUND and "error" not in kinds),
        "error" in kinds or "error" in line,
        "not finished" in kinds,
        "not reached" in kinds,
        line.get("without_units"),
        line.get("without_gradient"),
        any(": only " in note for note in line.get("table", {}).get("notes", ())),
        code != OK,
        True,
    )
    return next(name for name, fact in zip(_SUSPICIONS, facts, strict=True) if fact)


def by_suspicion(lines: Iterable[Line]) -> list[Line]:
    """Return the lines of targets, the most suspicious first; else by name."""
    return sorted(lines, key=lambda line: (_SUSPICIONS.index(suspicion(line)), line["trainer"]))


def in_short(line: Line) -> str:
    """Return the outcome of one target, in a few words."""
    return f"error: {line['error']}" if "error" in line else str(line["table"]["in_short"])


def table_lines(lines: Sequence[Line], left_out: Sequence[str]) -> tuple[str, ...]:
    """Return a line for each target, and for each thing that was left out."""
    width = max((len(each["trainer"]) for each in lines), default=0)
    table = (f"{each['trainer']:{width}}  {in_short(each)}" for each in lines)
    return (*table, *(f"left out: {text}" for text in left_out))


def sum_up(lines: Sequence[Line]) -> str:
    """Return how many targets there are, and how many of them are sound."""
    codes = Counter(map(_code, lines))
    texts = [f"{count(len(lines), 'target')}: {codes[0]} sound"]
    others = ((1, "not"), (2, "not checked"))
    texts += [f"{codes[code]} {word}" for code, word in others if codes[code]]
    return ", ".join(texts)


def render_models(lines: Sequence[Line], left_out: Sequence[str], command: str) -> ReportFiles:
    """Return the files of all targets, which ``command`` writes: a table, and one to sort."""
    words = in_short, sum_up, suspicion
    facts = {"targets": by_suspicion(lines), "left_out": left_out, "command": command}
    page = fill_in("models.html.jinja", *words, **facts)
    return ReportFiles({MARKDOWN: render("models.md.jinja", *words, **facts), PAGE: page})


def table_json(lines: Sequence[Line]) -> str:
    """Return an array with one object a target, each as ``check --json`` writes it alone."""
    texts = (line["brief"] for line in lines if "brief" in line)
    others = ((line["trainer"], line["error"]) for line in lines if "brief" not in line)
    return merged(texts, others) + "\n"


def worst_code(lines: Iterable[Line], *, accepting: bool = False) -> int:
    """Return the exit status of all: 1 if one has it, else the highest.

    ``accepting`` says whether their failures are written into a baseline.
    """
    key = "exit_code_accepting" if accepting else "exit_code"
    return max((_code(line, key) for line in lines), key=(OK, FAILED, FOUND).index)


def _code(line: Line, key: str = "exit_code") -> int:
    return int(line["table"][key]) if "table" in line else FAILED


def _kinds(checked: Checked, dtype: str) -> str:
    """Count the verdicts in one dtype."""
    return summary([v for v in checked.verdicts if v.dtype == dtype]) or "-"


def _largest(checked: Checked) -> str:
    """Return the largest deviation of what holds up to rounding, by its limit."""
    verdicts = checked.verdicts
    if any(v.ratio is not None for v in verdicts):
        ratios = [[v.ratio or 0.0 for v in verdicts if v.dtype == d] for d in THRESHOLDS]
        largest = (f"{max(found, default=0):.2g}" for found in ratios)
        limits = (f"{limit:g}" for limit in THRESHOLDS.values())
        return f"{' and '.join(largest)} responses, limits {' and '.join(limits)}"
    judged = [v for v in verdicts if v.kind == "holds" and v.margin is not None]
    if not judged:
        return "-"
    worst: Verdict = max(judged, key=lambda v: v.margin or 0.0)
    return f"{deviation(worst)} ({worst.invariant})"


def _units(checked: Checked) -> str:
    """Return how many groups of units a training has, and why how many parameter axes have none."""
    if checked.coverage is None:
        return "-"
    without = Counter(axis.why for axis in checked.coverage.uncovered)
    rest = ", ".join(f"{number} {why}" for why, number in without.most_common())
    groups = count(len(checked.coverage.groups), "group")
    return f"{groups}; axes without: {rest}" if rest else groups
