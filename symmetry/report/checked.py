"""The reports of checks: of a step, of a training with a figure, of several targets in a table."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from symmetry.base.records import dump
from symmetry.checker.verdict import Checked, Verdict, exit_code
from symmetry.invariants.catalogue import catalogue_of
from symmetry.report.files import Figure, Report, plain
from symmetry.report.filling import render
from symmetry.report.verdicts import (
    conclusion,
    deviation,
    failures,
    gist,
    last_line,
    record,
    remarks,
    summary,
)
from symmetry.trainings.start import THRESHOLDS
from symmetry.units.words import count, in_ulps

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MARKDOWN, TRAINING, FIGURE = "invariants.md", "training.md", "training.png"
SEVERAL = "models.md"

_COMPARED = {
    "exact": "Compared bit by bit, without any tolerance.",
    "bound": "Compared with the same step in float64, within what rounding can add up to.",
    "response": "Compared in multiples of what a change of one ulp in the arguments does to the "
    "step.",
}
_COLOURS = {"float32": "#0072b2", "float64": "#d55e00"}
_LEAST = 1e-3  # of the limit; what is nearer to zero is drawn there


def render_checked(checked: Checked, command: str) -> Report:
    """Return the files of a whole check; ``command`` is the line that writes them."""
    training = any(verdict.of_training for verdict in checked.verdicts)
    names = {verdict.invariant for verdict in checked.verdicts}
    measured = [verdict for verdict in checked.verdicts if verdict.ratio is not None]
    labels = [f"{verdict.invariant} {verdict.dtype}" for verdict in measured]
    margins = [f"{max(verdict.margin or 0.0, _LEAST):.2g}" for verdict in measured]
    size = (7.5, 1.0 + 0.35 * len(measured))
    figures = (Figure(FIGURE, size, (labels, margins), _margins),) if measured else ()
    text = render(
        "checked.md.jinja",
        *(_largest_deviation, gist, remarks),
        checked=checked,
        training=training,
        command=command,
        summary=last_line(checked.verdicts),
        invariants=[
            i for i in catalogue_of("trainings" if training else "steps") if i.name in names
        ],
        failures=failures(checked),
        compared=_COMPARED,
        sizes=_sizes(checked.verdicts),
        figures=figures,
    )
    return Report({TRAINING if training else MARKDOWN: text}, figures)


def _largest_deviation(verdict: Verdict) -> str:
    if verdict.kind == "holds" or verdict.ratio is not None:
        place = f" ({verdict.array})" if verdict.ratio and verdict.array else ""
        return deviation(verdict) + place
    if verdict.kind in ("vacuous", "not applicable") or verdict.max_ulps is None:
        return "-"
    return in_ulps(verdict.max_ulps)


def _sizes(verdicts: Iterable[Verdict]) -> dict[tuple[str, ...], dict[str, list[str]]]:
    """Return the dtypes by invariant, by the sizes of the cases that counted."""
    found: defaultdict[tuple[str, ...], dict[str, list[str]]] = defaultdict(dict)
    for verdict in verdicts:
        if verdict.spans:
            found[verdict.spans].setdefault(verdict.invariant, []).append(verdict.dtype)
    return found


def _margins(canvas: Canvas, labels: list[str], margins: list[str]) -> None:
    """Draw the largest deviation of each verdict, divided by its limit."""
    axes = canvas.subplots()
    colours = [_COLOURS[label.rpartition(" ")[2]] for label in labels]
    widths = [float(margin) for margin in margins]
    axes.barh(labels[::-1], widths[::-1], left=0, color=colours[::-1], height=0.6)
    axes.axvline(1, color="#777777", linestyle=":")
    axes.set_xscale("log")
    axes.set_xlim(_LEAST / 2, max(3.0, 2 * max(widths)))
    axes.set_xlabel("largest deviation, divided by its limit")
    plain(axes)


def in_short(checked: Checked) -> str:
    """Return what became of one target, in a few words."""
    return f"error: {checked.error}" if checked.error else conclusion(checked.verdicts)


def table_lines(targets: Sequence[Checked], left_out: Sequence[str]) -> tuple[str, ...]:
    """Return a line for each target, and for each thing that is none."""
    width = max(len(each.target) for each in targets)
    table = (f"{each.target:{width}}  {in_short(each)}" for each in targets)
    return (*table, *(f"left out: {text}" for text in left_out))


def sum_up(targets: Sequence[Checked]) -> str:
    """Return how many targets there are, and how many of them are sound."""
    codes = Counter(exit_code(each.verdicts) for each in targets)
    texts = [f"{count(len(targets), 'target')}: {codes[0]} sound"]
    others = ((1, "not"), (2, "not checked"))
    texts += [f"{codes[code]} {word}" for code, word in others if codes[code]]
    return ", ".join(texts)


def render_models(targets: Sequence[Checked], left_out: Sequence[str], command: str) -> Report:
    """Return the file of all targets, which ``command`` writes.

    Nothing in it changes from run to run. What fits a pattern and is no target is ``left_out``.
    """
    words = in_short, sum_up, _kinds, _largest, _units
    facts = {"targets": targets, "left_out": left_out, "command": command}
    return Report({SEVERAL: render("models.md.jinja", *words, **facts)})


def table_json(targets: Sequence[Checked]) -> str:
    """Return an array with one object a target, each as ``check --json`` writes it alone.

    What could not be checked has no results, and says why under ``error``.
    """
    return dump([record(each) for each in targets]) + "\n"


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
