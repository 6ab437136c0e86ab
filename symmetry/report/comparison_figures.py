"""The pictures of a comparison."""

from __future__ import annotations

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from symmetry.comparison.record import Comparison, TrainerRun
from symmetry.report.figure import Figure, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Canvas

SPREAD, SECONDS, GROWTH = "frameworks-spread.png", "frameworks-seconds.png", "frameworks-growth.png"

_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#444444")
_FINEST_LABELS = 1e-17  # spreads below are not drawn any lower
_BAR = 0.42  # inches of height for each bar
_ROW = 0.24  # inches of height for each row of the lower panel


def spread_figure(comparison: Comparison, name: str) -> Figure:
    """Draw how far apart the units of each trainer were, by iteration.

    A logarithmic axis has no zero, so identical units get a panel of their own below it: a bar for
    as long as they stayed identical.
    """
    runs = comparison.runs
    iterations = comparison.facts.iterations
    split = [run for run in runs if any(run.spreads)]
    colours = dict(zip((run.name for run in runs), cycle(_COLOURS), strict=False))
    heights = (3.4, 0.5 + _ROW * len(runs))

    def draw(canvas: Canvas) -> None:
        if split:
            upper, lower = canvas.subplots(2, 1, sharex=True, height_ratios=heights)
            upper.set_title("How far apart equal hidden units came, relative to their own size")
            _lines(upper, split, colours)
        else:
            lower = canvas.subplots()
        _identical(lower, runs, colours)
        lower.set_xlim(0.5, iterations + 0.5)

    height = sum(heights) if split else heights[1] + 0.5
    shows = [(run.name, np.array(run.spreads)) for run in runs]
    flat = tuple(part for pair in shows for part in pair)
    return Figure(name, (8.6, height + 0.6), (iterations, *flat), draw)


def seconds_figure(comparison: Comparison) -> Figure:
    """Draw the median seconds of an iteration as bars, the fastest first."""
    timed = sorted(
        (run.seconds, run.name + " (step only)" * run.step_only, run.step_only, number)
        for number, run in enumerate(comparison.runs)
        if run.seconds is not None
    )
    fastest = next((each for each, _, step_only, _ in timed if not step_only), None)

    def draw(canvas: Canvas) -> None:
        axes = canvas.subplots()
        for row, (each, name, step_only, number) in enumerate(timed):
            axes.barh(name, each, height=0.62, color=_COLOURS[number % len(_COLOURS)])
            axes.text(each, row, f" {each:.3g} s{_times(each, fastest, step_only)}", va="center")
        axes.invert_yaxis()
        axes.set(title="Seconds for one iteration (median)", xlabel="seconds")
        axes.set_xlim(0, timed[-1][0] * 1.38 if timed else 1.0)
        axes.tick_params(axis="y", length=0)
        plain(axes)

    size = (8.6, 1.1 + _BAR * len(timed))
    return Figure(SECONDS, size, tuple(part for each in timed for part in each), draw)


def _times(seconds: float, fastest: float | None, step_only: bool) -> str:
    if step_only or not fastest:
        return ""
    return ", the fastest" if seconds == fastest else f", {seconds / fastest:.1f} times as long"


def _lines(axes: Axes, runs: list[TrainerRun], colours: dict[str, str]) -> None:
    """Draw the spread of each run where it is not zero."""
    for order, run in enumerate(runs):
        spreads = np.array(run.spreads)
        shown = np.where(spreads > 0, np.maximum(spreads, _FINEST_LABELS), np.nan)
        axes.plot(
            np.arange(1, len(shown) + 1),
            shown,
            color=colours[run.name],
            label=run.name,
            linewidth=2 if order % 2 == 0 else 1.6,
            linestyle="-" if order % 2 == 0 else (0, (5, 1.5)),  # lines may lie on one another
            marker="o",  # a point between identical ones has no line
            markersize=4 if len(shown) <= 20 else 1.5,
        )
    axes.set_yscale("log")
    axes.set_ylabel("relative spread")
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.legend(loc="best", fontsize=9)
    axes.tick_params(axis="x", length=0)
    plain(axes)


def _identical(axes: Axes, runs: tuple[TrainerRun, ...], colours: dict[str, str]) -> None:
    """Draw bars over the iterations after which all units were identical."""
    from matplotlib.ticker import MaxNLocator

    for row, run in enumerate(runs):
        identical = [0, *(spread == 0 for spread in run.spreads), 0]
        edges = np.flatnonzero(np.diff(identical))  # where stretches begin and end, in turn
        lengths = edges[1::2] - edges[::2]
        axes.barh(row, lengths, left=edges[::2] + 0.5, height=0.55, color=colours[run.name])
        if not any(identical):
            axes.text(1, row, "never", va="center", fontsize=8.5, color="#777777")
    axes.set_yticks(range(len(runs)), [run.name for run in runs])
    axes.set_ylim(len(runs) - 0.4, -0.6)
    axes.set_title("Iterations after which all were identical, bit for bit")
    axes.set_xlabel("iteration")
    axes.tick_params(axis="y", length=0)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain(axes)
