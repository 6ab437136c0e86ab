"""The pictures of the performance report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from symmetry.report.files import Figure, plain
from tests.studies.performance.load import Rate, in_words
from tests.studies.performance.measure import Point
from tests.studies.performance.sweeps import DTYPES, Measured

COLOURS = {"core": "#0072b2", "PyTorch": "#009e73", "JAX": "#cc79a7", "NumPy": "#d55e00"}
MARKERS = {"core": "o", "PyTorch": "s", "JAX": "^"}
RATIO_TICKS = (0.2, 0.5, 1, 2, 5, 10, 20)


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

    def of(self, dtype: str, threads: int) -> list[Point]:
        """Return the points of one line."""
        wanted = dtype, threads
        return [p for p in self.points if (p.setting.dtype, p.setting.threads) == wanted]


def sweeps(measured: Measured) -> tuple[Sweep, ...]:
    """Return the columns."""
    return (
        Sweep(
            "Nonzeros (made-up inputs, 200 units)",
            "percent of the inputs that are not zero",
            measured.by_share,
            lambda point: 100 * (point.setting.share or 0),
            logarithmic=False,
        ),
        Sweep(
            "Hidden units (MNIST)",
            "hidden units",
            measured.by_hidden,
            lambda point: point.setting.hidden,
        ),
        Sweep(
            "Classes (19 % nonzero, 200 units)",
            "classes",
            measured.by_classes,
            lambda point: point.setting.classes,
        ),
    )


def figures(measured: Measured, rates: Sequence[Rate]) -> tuple[Figure, ...]:
    """Return all figures of the report."""
    return (_sweeps(measured), _load(rates))


def _sweeps(measured: Measured) -> Figure:
    """Draw how many times as fast as NumPy each is: a column for each sweep, a row for a dtype."""
    columns, plan = sweeps(measured), measured.plan
    drawn = [name for name in MARKERS if name in plan.names]

    def draw(canvas: Any, *_: Any) -> None:
        axes = canvas.subplots(2, 3, sharey=True)
        for row, dtype in enumerate(DTYPES):
            for panel, sweep in zip(axes[row], columns, strict=True):
                for name, threads in product(drawn, plan.threads):
                    _line(panel, sweep, sweep.of(dtype, threads), name, threads)
                _scales(panel, sweep)
                panel.set_title(f"{sweep.title}, {dtype}")
            axes[row, 0].set_ylabel("times as fast as NumPy")
        for panel, sweep in zip(axes[1], columns, strict=True):
            panel.set_xlabel(sweep.label)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        canvas.legend(handles, labels, loc="outside upper center", ncols=len(labels))

    shows = [
        [sweep.x(p), p.setting.threads, *(p.ratio(name) for name in drawn)]
        for sweep in columns
        for p in sweep.points
    ]
    return Figure("performance.png", (14.0, 7.8), (drawn, shows), draw, edition=4)


def _line(axes: Any, sweep: Sweep, points: list[Point], name: str, threads: int) -> None:
    one = threads == 1
    axes.plot(
        [sweep.x(point) for point in points],
        [point.ratio(name) for point in points],
        color=COLOURS[name],
        marker=MARKERS[name],
        linestyle="--" if one else "-",
        markerfacecolor="white" if one else COLOURS[name],
        label=f"{name}, {in_words(threads)}",
    )


def _scales(axes: Any, sweep: Sweep) -> None:
    """Give the axes the measured values as ticks, NumPy a line of its own, and a light grid."""
    if sweep.logarithmic:
        axes.set_xscale("log")
        axes.set_xticks(sweep.ticks, [f"{tick:g}" for tick in sweep.ticks])
        axes.set_xticks([], minor=True)
    else:
        axes.set_xlim(left=0)
    axes.axhline(1, color=COLOURS["NumPy"], linewidth=1.2, label="NumPy")
    axes.set_yscale("log")
    axes.set_yticks(RATIO_TICKS, [f"{tick:g}" for tick in RATIO_TICKS])
    axes.set_yticks([], minor=True)
    plain(axes)
    axes.grid(axis="y", color="#e6e6e6", linewidth=0.8)
    axes.set_axisbelow(True)


def _load(rates: Sequence[Rate]) -> Figure:
    """Draw what a nonzero costs by everything that was measured, the limit first."""

    def draw(canvas: Any, *_: Any) -> None:
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
    return COLOURS["core"] if rate.is_core else "#777777"
