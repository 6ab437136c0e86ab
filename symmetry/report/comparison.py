"""The report of a comparison: what was found, and a picture of ratios by module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from symmetry.comparison.outcome import Compared, ComparedTraining, Ratio
from symmetry.report.compared import facts, headline
from symmetry.report.files import Figure, ReportFiles, plain
from symmetry.report.filling import render

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

MARKDOWN = "comparison.md"

_COLOURS = {"forward": "#0072b2", "loss": "#777777", "backward": "#d55e00"}
_LEAST = 1e-3  # responses; what is nearer to zero is drawn there
_MOST_LABELS = 60  # that can be read beside each other


def render_compared(compared: Compared, command: str) -> ReportFiles:
    """Return the files of a comparison; ``command`` is the line that writes them."""
    several = len(compared.others) > 1
    figures = {
        number: _figure(other, f"comparison{f'-{number}' * several}.png")
        for number, other in enumerate(compared.others, start=1)
        if other.ratios
    }
    text = render(
        "compared.md.jinja",
        *(headline, facts),
        compared=compared,
        command=command,
        figures=figures,
    )
    return ReportFiles({MARKDOWN: text}, tuple(figures.values()))


def _figure(other: ComparedTraining, name: str) -> Figure:
    largest = _by_module(other.ratios)
    phases = [phase for phase, _ in largest]
    modules = [module for _, module in largest]
    limit = next(r.threshold for r in other.results if r.dtype == other.watched)
    ratios = [f"{ratio:.2g}" for ratio in largest.values()]
    size = (max(5.0, 2.0 + 0.17 * min(len(modules), _MOST_LABELS)), 4.2)
    shows = (phases, modules, ratios, f"{limit:g}", other.watched)
    return Figure(name, size, shows, _draw)


def _by_module(ratios: Iterable[Ratio]) -> dict[tuple[str, str], float]:
    """Return the largest ratio of each phase and module, in the order in which they happen."""
    found: dict[tuple[str, str], float] = {}
    for each in ratios:
        if each.phase in _COLOURS:
            module = each.name.partition(" ")[0].partition("[")[0]
            key = each.phase, "loss" if each.phase == "loss" else module or "(model)"
            found[key] = max(found.get(key, 0.0), each.ratio)
    order = [*_COLOURS]
    return dict(sorted(found.items(), key=lambda item: order.index(item[0][0])))


def _draw(
    canvas: Canvas,
    phases: Sequence[str],
    modules: Sequence[str],
    ratios: Sequence[str],
    limit: str,
    dtype: str,
) -> None:
    """Draw ratios from left to right, as they happen; what is beyond the limit is filled."""
    axes = canvas.subplots()
    known = [float(ratio) for ratio in ratios]
    top = 10 * max([float(limit), *(ratio for ratio in known if ratio < float("inf"))])
    heights = [min(max(ratio, _LEAST), top) for ratio in known]
    for phase, colour in _COLOURS.items():
        at = [number for number, each in enumerate(phases) if each == phase]
        if not at:
            continue
        beyond = [colour if known[n] > float(limit) else "white" for n in at]
        axes.vlines(at, _LEAST, [heights[n] for n in at], color=colour, linewidth=1, alpha=0.4)
        axes.scatter(at, [heights[n] for n in at], color=beyond, edgecolors=colour, zorder=3)
        axes.scatter([], [], color=colour, label=phase)
    axes.axhline(float(limit), color="#777777", linestyle=":")
    axes.annotate(
        "limit",
        (1, float(limit)),
        (0, 3),
        ("axes fraction", "data"),
        "offset points",
        ha="right",
        color="#777777",
        fontsize=8.5,
    )
    axes.set_yscale("log")
    axes.set_ylim(_LEAST / 2, 5 * top)
    axes.set_ylabel(f"deviation by response, {dtype}")
    every = 1 + len(modules) // (_MOST_LABELS + 1)
    axes.set_xticks(range(0, len(modules), every), modules[::every], rotation=90, fontsize=7.5)
    axes.legend(loc="upper left", ncols=3, fontsize=8.5)
    plain(axes)
