"""What a comparison leaves behind: frozen records, rendered by the report."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median

from symmetry.comparison.libraries import Libraries
from symmetry.comparison.subject import Subject
from symmetry.comparison.task import TaskFacts
from symmetry.units.compare import Group
from symmetry.watch import Outcome


@dataclass(frozen=True)
class TrainerPoint:
    """One iteration of one trainer; what compares units is None once numbers are not finite."""

    iteration: int  # counted from 1
    seconds: float
    loss: float  # on the training set, after the update
    accuracy: float  # on the test set, in percent
    spread: float | None  # how far apart hidden units are: ``recorder.spread``
    ulps: int | None  # the largest distance of two units in any entry of w1 or w2
    w1_relative: float | None  # the largest relative distance, in any entry, to the first unit
    w2_relative: float | None


@dataclass(frozen=True)
class TrainerRun:
    """One trainer's training."""

    subject: Subject
    history: tuple[TrainerPoint, ...]
    columns: Outcome  # of w1
    rows: Outcome  # the hidden ones of w2
    groups: tuple[Group, ...]  # of units identical in both matrices, when compared last
    libraries: Libraries

    @property
    def name(self) -> str:
        """The trainer's name with its settings."""
        return self.subject.name

    @property
    def step_only(self) -> bool:
        """Whether the step alone was timed; the project's trainers are with loss and accuracy."""
        return self.subject.step_only

    @property
    def first_seconds(self) -> float:
        """The first iteration: it may compile, and makes the gradient of the start as well."""
        return self.history[0].seconds

    @property
    def seconds(self) -> float | None:
        """The median of the other iterations; None if there are none."""
        return median(p.seconds for p in self.history[1:]) if len(self.history) > 1 else None

    @property
    def split_in(self) -> int | None:
        """The first iteration after which clones were different; None if there is none."""
        splits = [outcome.split for outcome in (self.columns, self.rows)]
        return min((split.step for split in splits if split is not None), default=None)

    @property
    def counted(self) -> bool:
        """Whether there was anything to tell apart: two units, and weights that moved."""
        return self.columns.counted or self.rows.counted

    @property
    def compared(self) -> int:
        """How many iterations were compared: up to the first with numbers that are not finite."""
        return self.columns.iterations

    @property
    def spreads(self) -> tuple[float, ...]:
        """The spread of each iteration that was compared."""
        return tuple(p.spread for p in self.history if p.spread is not None)


@dataclass(frozen=True)
class LeftOut:
    """A trainer that could not be compared, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """Several trainers on one task."""

    facts: TaskFacts
    threads: int | None  # that were asked for; None if the number was left to the libraries
    runs: tuple[TrainerRun, ...]
    left_out: tuple[LeftOut, ...] = ()

    @property
    def core(self) -> TrainerRun | None:
        """The run of the project's own core, if it took part."""
        return next((run for run in self.runs if run.name == "numba"), None)
