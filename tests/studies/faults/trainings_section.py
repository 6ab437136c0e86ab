"""The section of ``faults.md`` about trainings, and its picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from symmetry.report.files import Figure, plain
from symmetry.report.filling import environment, fill_paragraphs
from symmetry.training.response import THRESHOLDS
from tests.catalogues import TRAININGS
from tests.faulty.trainings import TOLD
from tests.studies.faults.trainings import Fared

if TYPE_CHECKING:
    from matplotlib.figure import Figure as Canvas

HEADING = "# Trainings"
FIGURE = "faults-trainings.png"
_LEAST = 1e-2  # smaller ratios are drawn there


def section(found: tuple[Fared, ...]) -> str:
    """Return the Markdown of the section."""
    templates = environment(Path(__file__).parent)
    broken = [fared for fared in found if fared.fault]
    sound = [fared for fared in found if not fared.fault]
    text = templates.get_template("trainings.md.jinja").render(
        heading=HEADING,
        figure=FIGURE,
        broken=broken,
        sound=sound,
        caught=sum(fared.as_it_should_be for fared in broken),
        told=TOLD,
        accused=[fared.name for fared in sound if fared.caught_by],
        invariants=TRAININGS,
        short=lambda name: name.partition("/")[2],
        mark=_mark,
        ratio=_ratio,
        thresholds=THRESHOLDS,
        largest={d: _ratio(max(f.ratios.get(d, 0) for f in sound)) for d in THRESHOLDS},
        least={d: _ratio(min(_violating(broken, d))) for d in THRESHOLDS},
    )
    return fill_paragraphs(text)


def figure(found: tuple[Fared, ...]) -> Figure:
    """Draw the ratios of sound trainings and of those that treat units unequally."""
    sound = [fared for fared in found if not fared.fault]
    broken = [fared for fared in found if fared.fault]
    drawn = {
        (kind, dtype): values
        for dtype in THRESHOLDS
        for kind, values in (
            ("sound", [max(f.ratios.get(dtype, 0), _LEAST) for f in sound]),
            ("broken", _violating(broken, dtype)),
        )
    }

    def draw(canvas: Canvas, *_: object) -> None:
        axes = canvas.subplots()
        for row, ((kind, dtype), values) in enumerate(reversed(drawn.items())):
            colour = "#0072b2" if kind == "sound" else "#d55e00"
            axes.plot(values, [row] * len(values), "|", color=colour, markersize=14)
            threshold = THRESHOLDS[dtype]
            axes.plot([threshold] * 2, [row - 0.4, row + 0.4], ":", color="#777777")
        axes.set_yticks(range(len(drawn)), [f"{kind}, {d}" for kind, d in reversed(drawn)])
        axes.set_ylim(-0.6, len(drawn) - 0.4)
        axes.set_xscale("log")
        axes.set_xlabel("deviation divided by the response to one ulp; dotted: the limit")
        plain(axes)

    shows = tuple(f"{k}{[_ratio(v) for v in values]}" for k, values in drawn.items())
    return Figure(FIGURE, (7.5, 2.6), shows, draw)


def _violating(broken: list[Fared], dtype: str) -> list[float]:
    """Return the ratios of what is above its limit."""
    ratios = (fared.ratios.get(dtype, 0.0) for fared in broken)
    return [ratio for ratio in ratios if ratio > THRESHOLDS[dtype]]


def _mark(invariant: str, fared: Fared) -> str:
    assert fared.fault is not None
    if invariant in fared.fault.caught_by:
        return "●" if invariant in fared.caught_by else "✗"
    return "○" if invariant in fared.caught_by else "·"


def _ratio(value: float | None) -> str:
    """Round to one digit: the next machine rounds differently."""
    return "-" if value is None else f"{float(f'{value:.0e}'):g}"
