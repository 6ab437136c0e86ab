"""What a comparison leaves behind: frozen records, and who makes them."""

from dataclasses import dataclass, field
from statistics import median

import numpy as np

from symmetry.comparison.environment import loaded_libraries
from symmetry.comparison.subject import Subject
from symmetry.invariants.two_layer import hidden_units
from symmetry.task import Task
from symmetry.units import compare
from symmetry.units.compare import Floats, Group
from symmetry.units.state import finite


@dataclass(frozen=True)
class TrainerPoint:
    """One iteration of one trainer; what compares units is None once numbers are not finite."""

    iteration: int  # counted from 1
    seconds: float
    loss: float  # on the training set, after the update
    accuracy: float  # on the test set, in percent
    spread: float | None  # how far apart hidden units are: ``spread``
    ulps: int | None  # the largest distance of two units in any entry of w1 or w2


@dataclass(frozen=True)
class TrainerRun:
    """One trainer's training."""

    subject: Subject
    history: tuple[TrainerPoint, ...]
    groups: tuple[Group, ...]  # of units identical in both matrices, when compared last
    counted: bool  # whether there was anything to tell apart: two units, and weights that moved
    versions: dict[str, str]  # of the packages that its process has loaded, by name
    loaded: tuple[str, ...]  # kernels and threads of its libraries, a line for each

    @property
    def name(self) -> str:
        """The trainer's name with its settings."""
        return self.subject.name

    @property
    def seconds(self) -> float | None:
        """The median of the other iterations; None if there are none."""
        return median(p.seconds for p in self.history[1:]) if len(self.history) > 1 else None

    @property
    def split(self) -> TrainerPoint | None:
        """The first iteration after which clones were different; None if there is none."""
        return next((point for point in self.history if point.ulps), None)

    @property
    def compared(self) -> int:
        """How many iterations were compared: up to the first with numbers that are not finite."""
        return sum(point.ulps is not None for point in self.history)

    @property
    def spreads(self) -> tuple[float, ...]:
        """The spread of each iteration that was compared."""
        return tuple(p.spread for p in self.history if p.spread is not None)


@dataclass(frozen=True)
class Comparison:
    """Several trainers on one task."""

    task: Task
    threads: int | None  # that were asked for; None if the number was left to the libraries
    runs: tuple[TrainerRun, ...]
    left_out: dict[str, str] = field(default_factory=dict)  # trainers that failed, and why

    def run(self, name: str) -> TrainerRun | None:
        """Return the run of that trainer, if it took part."""
        return next((run for run in self.runs if run.name == name), None)

    @property
    def helped(self) -> tuple[TrainerRun, ...]:
        """The runs whose settings kept the units identical that split without them."""
        kept = (run for run in self.runs if run.counted and run.split is None)
        plain = ((run, self.run(run.subject.trainer)) for run in kept)
        return tuple(run for run, other in plain if other is not None and other.split)


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
        self._subject, hidden = subject, task.settings.hidden
        self._units, self._test = hidden_units(hidden), len(task.data.test_labels)
        self._groups: tuple[Group, ...] = (tuple(range(hidden)),)
        self._finite, self._moved = True, False
        self._history: list[TrainerPoint] = []

    def see(
        self, seconds: float, loss: float, correct: int, w1: Floats, w2: Floats
    ) -> TrainerPoint:
        """Compare the units, and return what this iteration adds to the history."""
        apart, ulps = None, None
        if self._finite:  # so far: the first numbers that are not are still compared
            weights = {"w1": w1, "w2": w2}
            matrices = [self._units.rows(weights, part) for part in self._units.parts]
            self._moved = self._moved or any(matrix.any() for matrix in matrices)
            self._groups = self._units.groups(weights)
            self._finite = finite(weights)
            apart = max(map(spread, matrices)) if self._finite else None
            ulps = max(map(compare.spread_ulps, matrices))
        iteration, accuracy = len(self._history) + 1, 100 * correct / self._test
        self._history.append(TrainerPoint(iteration, seconds, loss, accuracy, apart, ulps))
        return self._history[-1]

    def run(self) -> TrainerRun:
        """Return the record."""
        counted = self._moved and self._units.count > 1
        history, libraries = tuple(self._history), loaded_libraries()
        return TrainerRun(self._subject, history, self._groups, counted, *libraries)
