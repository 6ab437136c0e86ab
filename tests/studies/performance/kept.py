"""What every processor came to, kept beside the report: how many times as fast as NumPy, 1 thread.

A run replaces what its own processor came to before. The other tables are this processor's alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from symmetry.base.errors import SymmetryError
from tests.studies.performance.figures import sweeps
from tests.studies.performance.measure import Point
from tests.studies.performance.sweeps import Measured

FILE = "performance.json"
MNIST, COLLAPSED = "MNIST, 200 hidden units", "MNIST, 200 hidden units, collapsed core"
Kept = dict[str, dict[str, dict[str, float]]]  # ratio by processor and day, kind and point


def kept(measured: Measured, facts: dict[str, str], before: bytes | None) -> Kept:
    """Return what was kept before, with what was measured now instead of this processor's."""
    (name,) = re.findall(r"\((.*)\)", facts["instruction sets"])
    processor = f"{facts['processor']} ({name})"
    try:
        others: Kept = json.loads(before or b"{}")
    except ValueError as error:
        raise SymmetryError(f"{FILE} is damaged: {error}") from error
    others = {key: each for key, each in others.items() if not key.startswith(processor)}
    return {f"{processor}, {facts['date']}": ratios(measured), **others}


def ratios(measured: Measured) -> dict[str, dict[str, float]]:
    """Return how many times as fast as NumPy the cores are on one thread, by kind and point."""

    def of(
        points: Iterable[Point], x: Callable[[Point], Any] | None = None, name: str = "core"
    ) -> dict[str, float]:
        return {
            f"{f'{x(point):,g}, ' if x else ''}{point.setting.dtype}": round(point.ratio(name), 2)
            for point in points
            if point.setting.threads == 1
        }

    return {
        MNIST: of(measured.main),
        COLLAPSED: of(measured.main, name="collapsed"),
        **{sweep.label: of(sweep.points, sweep.x) for sweep in sweeps(measured)},
    }


def least(kept: Kept, kind: str, dtype: str = "") -> tuple[float, str]:
    """Return the lowest ratio of a kind, whatever the processor, and its point."""
    return min(
        (ratio, point)
        for each in kept.values()
        for point, ratio in each.get(kind, {}).items()
        if point.endswith(dtype)
    )


def rows(kept: Kept) -> list[tuple[str, ...]]:
    """Return a row for each point of the first processor, and what the others came to there."""
    first = next(iter(kept.values()))
    return [
        (f"{kind}: {point}", *(f"{each.get(kind, {}).get(point, '')}" for each in kept.values()))
        for kind, points in first.items()
        for point in points
    ]
