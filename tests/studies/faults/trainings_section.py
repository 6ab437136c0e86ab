"""The section of ``faults.md`` about trainings."""

from __future__ import annotations

from pathlib import Path

from symmetry.report.filling import environment, fill_paragraphs
from symmetry.training.response import THRESHOLDS
from tests.catalogues import TRAININGS
from tests.faulty.trainings import TOLD
from tests.studies.faults.trainings import Fared

HEADING = "# Trainings"


def section(found: tuple[Fared, ...]) -> str:
    """Return the Markdown of the section."""
    templates = environment(Path(__file__).parent)
    broken = [fared for fared in found if fared.fault]
    sound = [fared for fared in found if not fared.fault]
    text = templates.get_template("trainings.md.jinja").render(
        heading=HEADING,
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
    )
    return fill_paragraphs(text)


def _mark(invariant: str, fared: Fared) -> str:
    assert fared.fault is not None
    if invariant in fared.fault.caught_by:
        return "●" if invariant in fared.caught_by else "✗"
    return "○" if invariant in fared.caught_by else "·"


def _ratio(value: float | None) -> str:
    """Round to one digit: the next machine rounds differently."""
    return "-" if value is None else f"{float(f'{value:.0e}'):g}"
