"""The report ``training.md``: the verdicts on a training, its units, and how near it came."""

from __future__ import annotations

from typing import TYPE_CHECKING

from symmetry.checker.verdict import Checked, Verdict
from symmetry.invariants.trainings import TRAININGS
from symmetry.report.figure import Figure, plain
from symmetry.report.files import Report
from symmetry.report.templates import render
from symmetry.report.verdicts import failures, gist, last_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MARKDOWN, FIGURE = "training.md", "training.png"

_COLOURS = {"float32": "#0072b2", "float64": "#d55e00"}
_LEAST = 1e-3  # of the threshold; what is nearer to zero is drawn there


def training_report(checked: Checked, command: str) -> Report:
    """Return the files of a check of a training.

    Parameters
    ----------
    checked
        What came of it.
    command
        The command line that writes the report.
    """
    measured = [verdict for verdict in checked.verdicts if verdict.ratio is not None]
    names = {verdict.invariant for verdict in checked.verdicts}
    context = {
        "checked": checked,
        "command": command,
        "summary": last_line(checked.verdicts),
        "invariants": [invariant for invariant in TRAININGS if invariant.name in names],
        "failures": failures(checked),
        "gist": gist,
        "figure": FIGURE if measured else None,
    }
    figures = (margins_figure(FIGURE, measured),) if measured else ()
    return Report({MARKDOWN: render("training.md.jinja", context)}, figures)


def margins_figure(name: str, verdicts: list[Verdict]) -> Figure:
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
    return Figure(name, size, (labels, [f"{margin:.2g}" for margin in margins]), draw)
