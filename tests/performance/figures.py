"""The pictures of the performance report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from symmetry.report.figure import Figure, plain
from tests.performance.contestants import NAMES
from tests.performance.load import Rate, in_words
from tests.performance.measure import Point
from tests.performance.sweeps import Measured

COLOURS = {"NumPy": "#d55e00", "core": "#0072b2", "collapsed": "#777777"}
MARKERS = {"NumPy": "s", "core": "o", "collapsed": "^"}
RATIO_TICKS = (0.5, 1, 2, 5, 10, 20)
LABELS = {"NumPy": "NumPy", "core": "core", "collapsed": "collapsed core"}


@dataclass(frozen=True)
class Sweep:
    """A column of the large picture: what varies, and which ticks its axis gets."""

    title: str
    label: str
    points: tuple[Point, ...]
    x: Callable[[Point], float]
    logarithmic: bool = True

    @property
    def ticks(self) -> list[float]:
        """The values along the axis."""
        return sorted({self.x(point) for point in self.points})


def sweeps(measured: Measured) -> tuple[Sweep, ...]:
    """Return the columns."""
    return (
        Sweep(
            "Hidden units (MNIST)",
            "hidden units",
            measured.by_hidden,
            lambda point: point.setting.hidden,
        ),
        Sweep(
            "Training samples (MNIST, 200 units)",
            "training samples",
            measured.by_samples,
            lambda point: point.setting.n,
        ),
        Sweep(
            "Nonzeros (made-up inputs, 200 units)",
            "percent of the inputs that are not zero",
            measured.by_share,
            lambda point: 100 * (point.setting.share or 0),
            logarithmic=False,
        ),
    )


def figures(measured: Measured, rates: Sequence[Rate]) -> tuple[Figure, ...]:
    """Return all figures of the report."""
    return (_sweeps(measured), _load(rates))


def _sweeps(measured: Measured) -> Figure:
    """Draw the time per iteration above the ratio to NumPy, a column for each sweep."""
    columns = sweeps(measured)

    def draw(canvas: Any) -> None:
        axes = canvas.subplots(2, 3)
        for position, sweep in enumerate(columns):
            _times(axes[0, position], sweep, measured.plan.threads)
            _ratios(axes[1, position], sweep, measured.plan.threads)
        axes[0, 0].set_ylabel("milliseconds per iteration")
        axes[1, 0].set_ylabel("times as fast as NumPy")
        handles, labels = axes[0, 0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside upper center", ncols=len(labels))

    shows = [
        [sweep.x(p), p.setting.threads, *(p.median(name) for name in NAMES)]
        for sweep in columns
        for p in sweep.points
    ]
    return Figure("performance.png", (13.0, 7.4), (shows,), draw, edition=2)


def _times(axes: Any, sweep: Sweep, threads: tuple[int, ...]) -> None:
    from matplotlib.ticker import LogLocator

    for name in NAMES:
        for count in threads:
            points = [point for point in sweep.points if point.setting.threads == count]
            _line(axes, sweep, points, [1e3 * point.median(name) for point in points], name, count)
    axes.set(title=sweep.title, yscale="log")
    _scales(axes, sweep)
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.set_yticks([], minor=True)


def _ratios(axes: Any, sweep: Sweep, threads: tuple[int, ...]) -> None:
    for count in threads:
        points = [point for point in sweep.points if point.setting.threads == count]
        _line(axes, sweep, points, [point.ratio() for point in points], "core", count)
    axes.axhline(1, color=COLOURS["NumPy"], linewidth=1.2)
    axes.annotate(
        "NumPy",
        (0, 1),
        xycoords=("axes fraction", "data"),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        color=COLOURS["NumPy"],
    )
    axes.set_xlabel(sweep.label)
    _scales(axes, sweep)
    if sweep.logarithmic:
        axes.set_ylim(bottom=0)
    else:  # from many times as fast to as fast
        axes.set_yscale("log")
        axes.set_yticks(RATIO_TICKS, [f"{tick:g}" for tick in RATIO_TICKS])
        axes.set_yticks([], minor=True)
        axes.set_ylim(bottom=0.4)


def _line(
    axes: Any, sweep: Sweep, points: list[Point], values: list[float], name: str, threads: int
) -> None:
    one = threads == 1
    axes.plot(
        [sweep.x(point) for point in points],
        values,
        color=COLOURS[name],
        marker=MARKERS[name],
        linestyle="--" if one else "-",
        markerfacecolor="white" if one else COLOURS[name],
        label=f"{LABELS[name]}, {in_words(threads)}",
    )


def _scales(axes: Any, sweep: Sweep) -> None:
    """Give the horizontal axis the measured values as its ticks, and the panel a light grid."""
    if sweep.logarithmic:
        axes.set_xscale("log")
        axes.set_xticks(sweep.ticks, [f"{tick:,g}" for tick in sweep.ticks])
        axes.set_xticks([], minor=True)
    else:
        axes.set_xlim(left=0)
    plain(axes)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def _load(rates: Sequence[Rate]) -> Figure:
    """Draw what a nonzero costs by everything that was measured, the limit first."""

    def draw(canvas: Any) -> None:
        axes = canvas.subplots()
        names = [rate.name for rate in rates]
        nanoseconds = [rate.nanoseconds for rate in rates]
        bars = axes.barh(names, nanoseconds, color=[_shade(rate) for rate in rates], height=0.62)
        labels = [f"{rate.nanoseconds:.2f} ns, {rate.share:.0%}" for rate in rates]
        axes.bar_label(bars, labels, padding=4)
        axes.invert_yaxis()
        axes.set_xlim(0, 1.25 * max(nanoseconds))
        axes.set_title("One nonzero times one tile of units: time of a thread, share of the limit")
        axes.set_xlabel("nanoseconds")
        axes.tick_params(axis="y", length=0)
        plain(axes)

    shows = ([rate.name for rate in rates], [rate.nanoseconds for rate in rates])
    return Figure("performance-limit.png", (9.0, 0.9 + 0.42 * len(rates)), shows, draw)


def _shade(rate: Rate) -> str:
    return COLOURS["core" if rate.is_core else "collapsed"]
