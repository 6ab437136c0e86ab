"""What a comparison leaves behind: frozen records, and what makes them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from statistics import median

import numpy as np

from symmetry.steps.start import hidden_units
from symmetry.units import compare
from symmetry.units.compare import Floats, Group
from symmetry.units.state import finite
from tests.studies.frameworks.entrant import Entrant
from tests.studies.frameworks.environment import loaded_libraries
from tests.studies.frameworks.task import Task

Iteration = tuple[float, float, int, Floats, Floats]  # seconds, loss, correct ones, w1 and w2


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

    entrant: Entrant
    history: tuple[TrainerPoint, ...]
    groups: tuple[Group, ...]  # of units identical in both matrices, when compared last
    counted: bool  # whether there was anything to tell apart: two units, and weights that moved
    versions: dict[str, str]  # of the packages that its process has loaded, by name
    loaded: tuple[str, ...]  # kernels and threads of its libraries, a line for each

    @property
    def name(self) -> str:
        """The trainer's name with its settings."""
        return self.entrant.name

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
        plain = ((run, self.run(run.entrant.trainer)) for run in kept)
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


def recorded(
    entrant: Entrant, task: Task, iterations: Iterable[Iteration]
) -> Iterator[TrainerPoint | TrainerRun]:
    """Compare the units after every iteration: yield a point for each, then the whole run."""
    units, tests = hidden_units(task.settings.hidden), len(task.data.test_labels)
    groups: tuple[Group, ...] = (tuple(range(units.count)),)
    history: list[TrainerPoint] = []
    all_finite, moved = True, False
    for number, (seconds, loss, correct, w1, w2) in enumerate(iterations, start=1):
        apart, ulps = None, None
        if all_finite:  # so far: the first numbers that are not are still compared
            weights = {"w1": w1, "w2": w2}
            matrices = [units.rows(weights, part) for part in units.parts]
            moved = moved or any(matrix.any() for matrix in matrices)
            groups, all_finite = units.groups(weights), finite(weights)
            apart = max(map(spread, matrices)) if all_finite else None
            ulps = max(map(compare.spread_ulps, matrices))
        history.append(TrainerPoint(number, seconds, loss, 100 * correct / tests, apart, ulps))
        yield history[-1]
    counted = moved and units.count > 1
    yield TrainerRun(entrant, tuple(history), groups, counted, *loaded_libraries())
