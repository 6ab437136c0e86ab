"""Records one training, iteration by iteration: its loss, and how far apart its units are."""

from __future__ import annotations

import numpy as np

from symmetry.comparison.libraries import Libraries
from symmetry.comparison.record import TrainerPoint, TrainerRun
from symmetry.comparison.subject import Subject
from symmetry.comparison.task import Task
from symmetry.invariants.two_layer import hidden_units
from symmetry.units import compare
from symmetry.units.compare import Floats
from symmetry.units.state import finite
from symmetry.watch import Watch


def spread(units: Floats) -> float:
    """Return how far apart hidden units are, relative to their size.

    A unit is a vector, a row of ``units``; what is returned is the largest distance of any unit
    from the first one, divided by the length of the longest: 0 if all are identical, near 1 if they
    are as far from each other as from zero, at most 2. A single weight that happens to be almost
    zero does not decide it, as it would a comparison entry by entry.
    """
    if compare.all_equal(units):
        return 0.0
    exact = units.astype(np.float64)
    scale = float(abs(exact).max())
    lengths = np.linalg.norm(exact / scale, axis=1)
    distances = np.linalg.norm((exact - exact[0]) / scale, axis=1)
    return float(distances.max() / lengths.max())


class Recorder:
    """Is shown the weights after every iteration of one trainer; makes its record."""

    def __init__(self, subject: Subject, task: Task) -> None:
        self.subject = subject
        facts = task.facts
        w1, w2 = (np.zeros(shape, facts.dtype) for shape in facts.shapes)
        self._watch = Watch(w1, w2)
        self._test = facts.test
        self._finite = True
        self.history: list[TrainerPoint] = []
        self.groups: tuple[compare.Group, ...] = (tuple(range(facts.hidden)),)

    def see(
        self, seconds: float, loss: float, correct: int, w1: Floats, w2: Floats
    ) -> TrainerPoint:
        """Compare the units, and return what this iteration adds to the history."""
        iteration = len(self.history) + 1
        self._watch.see(iteration, w1, w2)
        apart = self._compare(w1, w2) if self._finite else (None,) * 4
        point = TrainerPoint(iteration, seconds, loss, 100 * correct / self._test, *apart)
        self.history.append(point)
        return point

    def run(self, libraries: Libraries) -> TrainerRun:
        """Return the record."""
        columns, rows, *_ = self._watch.outcomes()
        return TrainerRun(
            subject=self.subject,
            history=tuple(self.history),
            columns=columns,
            rows=rows,
            groups=self.groups,
            libraries=libraries,
        )

    def _compare(
        self, w1: Floats, w2: Floats
    ) -> tuple[float | None, int, float | None, float | None]:
        """Return spread, ulps, relative distances; only ulps if numbers are not finite."""
        units, weights = hidden_units(w1.shape[1]), {"w1": w1, "w2": w2}
        matrices = [units.rows(weights, part) for part in units.parts]
        self.groups = units.groups(weights)
        ulps = max(compare.spread_ulps(units) for units in matrices)
        self._finite = finite(weights)
        if not self._finite:
            return None, ulps, None, None
        in_w1, in_w2 = map(compare.spread_relative, matrices)
        return max(map(spread, matrices)), ulps, in_w1, in_w2
