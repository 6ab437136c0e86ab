"""The report of one check: of a step, or of a training with a figure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

from symmetry.checker.verdict import Checked, Verdict
from symmetry.report.failures import failures
from symmetry.report.files import Figure, ReportFiles, plain
from symmetry.report.filling import render
from symmetry.report.verdicts import (
    deviation,
    gist,
    last_line,
    remarks,
)
from symmetry.units.words import in_ulps

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MARKDOWN, TRAINING, FIGURE = "invariants.md", "training.md", "training.png"

_COMPARED = {
    "exact": "Compared bit by bit, without any tolerance.",
    "bound": "Compared with the same step in float64, within what rounding can add up to.",
    "response": "Compared in multiples of what rounding does to the step.",
}
_COLOURS = {"float32": "#0072b2", "float64": "#d55e00"}
_LEAST = 1e-3  # of the limit; what is nearer to zero is drawn there


def render_checked(checked: Checked, command: str) -> ReportFiles:
    """Return the files of a whole check; ``command`` is the line that writes them."""
    training = not any(verdict.about.two_layer for verdict in checked.verdicts)
    invariants = {verdict.invariant: verdict.about for verdict in checked.verdicts}
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
        summary=last_line(checked),
        invariants=list(invariants.values()),
        failures=failures(checked),
        compared=_COMPARED,
        sizes=_sizes(checked.verdicts),
        figures=figures,
    )
    return ReportFiles({TRAINING if training else MARKDOWN: text}, figures)


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
