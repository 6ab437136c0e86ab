"""The report of a check: invariants.md of a step; training.md, with a figure, of a training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from symmetry.checker.verdict import Checked, Verdict
from symmetry.invariants.catalogue import CATALOGUE
from symmetry.invariants.trainings import TRAININGS
from symmetry.report.figure import Figure, plain
from symmetry.report.files import Report
from symmetry.report.templates import render
from symmetry.report.verdicts import deviation, failures, gist, last_line
from symmetry.units.words import in_ulps

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MARKDOWN, TRAINING, FIGURE = "invariants.md", "training.md", "training.png"

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
    figures = (_margins(measured),) if measured else ()
    context = {
        "checked": checked,
        "training": training,
        "command": command,
        "summary": last_line(checked.verdicts),
        "invariants": [i for i in (TRAININGS if training else CATALOGUE) if i.name in names],
        "failures": failures(checked),
        "deviation": _largest_deviation,
        "gist": gist,
        "compared": _COMPARED,
        "sizes": _sizes(checked.verdicts),
        "figures": figures,
    }
    name = TRAINING if training else MARKDOWN
    return Report({name: render("checked.md.jinja", context)}, figures)


def _largest_deviation(verdict: Verdict) -> str:
    if verdict.kind == "holds" or verdict.ratio is not None:
        place = f" ({verdict.array})" if verdict.ratio and verdict.array else ""
        return deviation(verdict) + place
    if verdict.kind in ("vacuous", "not applicable") or verdict.max_ulps is None:
        return "-"
    return in_ulps(verdict.max_ulps)


def _sizes(verdicts: Iterable[Verdict]) -> dict[tuple[str, ...], dict[str, list[str]]]:
    """Return the dtypes by invariant, by the sizes of the cases that counted."""
    found: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for verdict in verdicts:
        if verdict.spans:
            found.setdefault(verdict.spans, {}).setdefault(verdict.invariant, []).append(
                verdict.dtype
            )
    return found


def _margins(verdicts: list[Verdict]) -> Figure:
    """Draw the largest deviation of each verdict, divided by its limit."""
    labels = [f"{v.invariant} {v.dtype}" for v in verdicts]
    margins = [max(v.margin or 0.0, _LEAST) for v in verdicts]

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        colours = [_COLOURS[v.dtype] for v in verdicts]
        axes.barh(labels[::-1], margins[::-1], left=0, color=colours[::-1], height=0.6)
        axes.axvline(1, color="#777777", linestyle=":")
        axes.set_xscale("log")
        axes.set_xlim(_LEAST / 2, max(3.0, 2 * max(margins)))
        axes.set_xlabel("largest deviation, divided by its limit")
        plain(axes)

    size = (7.5, 1.0 + 0.35 * len(verdicts))
    return Figure(FIGURE, size, (labels, [f"{margin:.2g}" for margin in margins]), draw)
