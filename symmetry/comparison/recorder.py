"""Records one training, iteration by iteration: its loss, and how far apart its units are."""

from __future__ import annotations

import numpy as np

from symmetry.comparison.environment import Libraries
from symmetry.comparison.record import TrainerPoint, TrainerRun
from symmetry.comparison.subject import Subject
from symmetry.comparison.task import TaskFacts
from symmetry.invariants.two_layer import hidden_units
from symmetry.units import compare
from symmetry.units.compare import Floats
from symmetry.units.state import finite


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

    def __init__(self, subject: Subject, facts: TaskFacts) -> None:
        self.subject = subject
        self._units, self._test = hidden_units(facts.hidden), facts.test
        self._groups: tuple[compare.Group, ...] = (tuple(range(facts.hidden)),)
        self._finite, self._moved = True, False
        self._history: list[TrainerPoint] = []

    def see(
        self, seconds: float, loss: float, correct: int, w1: Floats, w2: Floats
    ) -> TrainerPoint:
        """Compare the units, and return what this iteration adds to the history."""
        iteration, accuracy = len(self._history) + 1, 100 * correct / self._test
        apart, ulps = self._compare({"w1": w1, "w2": w2}) if self._finite else (None, None)
        self._history.append(TrainerPoint(iteration, seconds, loss, accuracy, apart, ulps))
        return self._history[-1]

    def run(self, libraries: Libraries) -> TrainerRun:
        """Return the record."""
        counted = self._moved and self._units.count > 1
        return TrainerRun(self.subject, tuple(self._history), self._groups, counted, libraries)

    def _compare(self, weights: dict[str, Floats]) -> tuple[float | None, int]:
        """Return spread and ulps; the latter alone if numbers are not finite."""
        matrices = [self._units.rows(weights, part) for part in self._units.parts]
        self._moved = self._moved or any(matrix.any() for matrix in matrices)
        self._groups = self._units.groups(weights)
        self._finite = finite(weights)
        apart = max(map(spread, matrices)) if self._finite else None
        return apart, max(map(compare.spread_ulps, matrices))
