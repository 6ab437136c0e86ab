"""What a comparison leaves behind: frozen records, rendered by the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median

from symmetry.comparison.environment import Libraries
from symmetry.comparison.subject import Subject
from symmetry.comparison.task import TaskFacts
from symmetry.units.compare import Group


@dataclass(frozen=True)
class TrainerPoint:
    """One iteration of one trainer; what compares units is None once numbers are not finite."""

    iteration: int  # counted from 1
    seconds: float
    loss: float  # on the training set, after the update
    accuracy: float  # on the test set, in percent
    spread: float | None  # how far apart hidden units are: ``recorder.spread``
    ulps: int | None  # the largest distance of two units in any entry of w1 or w2


@dataclass(frozen=True)
class TrainerRun:
    """One trainer's training."""

    subject: Subject
    history: tuple[TrainerPoint, ...]
    groups: tuple[Group, ...]  # of units identical in both matrices, when compared last
    counted: bool  # whether there was anything to tell apart: two units, and weights that moved
    libraries: Libraries

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

    facts: TaskFacts
    threads: int | None  # that were asked for; None if the number was left to the libraries
    runs: tuple[TrainerRun, ...]
    left_out: dict[str, str] = field(default_factory=dict)  # trainers that failed, and why

    def run(self, name: str) -> TrainerRun | None:
        """Return the run of that trainer, if it took part."""
        return next((run for run in self.runs if run.name == name), None)

    @property
    def fastest(self) -> float | None:
        """The median seconds of the fastest trainer of those that time whole iterations."""
        times = (run.seconds for run in self.runs if not run.subject.step_only)
        return min((each for each in times if each is not None), default=None)

    @property
    def helped(self) -> tuple[TrainerRun, ...]:
        """The runs whose settings kept the units identical that split without them."""
        kept = (run for run in self.runs if run.counted and run.split is None)
        plain = ((run, self.run(run.subject.trainer)) for run in kept)
        return tuple(run for run, other in plain if other is not None and other.split)
