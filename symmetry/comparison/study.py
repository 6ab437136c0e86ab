"""The whole report in one go: the frameworks, the settings, and the case that grows.

What is tried is fixed here; what comes out of it is not: on another machine, nothing may break.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from symmetry.checker.case import Case
from symmetry.comparison.compare import ComparisonListener, compare
from symmetry.comparison.machine import Machine, this_machine
from symmetry.comparison.record import Comparison, LeftOut
from symmetry.comparison.subject import Subject, parse_subjects
from symmetry.comparison.task import Task, task_of_case, task_of_dataset
from symmetry.data.dataset import Dataset
from symmetry.experiment import Settings
from symmetry.targets.resolve import BUILTIN, installed

# Few samples, dense inputs, a large learning rate: each step multiplies a difference of rounding.
GROWING = Case(30, 20, 33, 5, 5.0, 300, "float64", "normals", "zero", seed=1)


@dataclass(frozen=True)
class Trial:
    """A trainer without and with settings, at sizes where units were seen to split without."""

    hidden: int
    dtype: str
    trainer: str
    settings: tuple[str, ...]

    @property
    def subjects(self) -> tuple[Subject, ...]:
        """The trainer without settings, and then with each of them."""
        names = (f"{self.trainer}[{setting}]" for setting in self.settings)
        return parse_subjects((self.trainer, *names))

    def task(self, data: Dataset, settings: Settings) -> Task:
        """Return what it trains: its own sizes, and a few iterations."""
        iterations = min(settings.iterations, _TRIAL_ITERATIONS)
        own = replace(settings, hidden=self.hidden, dtype=self.dtype, iterations=iterations)
        return task_of_dataset(data, own)


_OF_TORCH = ("deterministic", "threads=1", "MKL_CBWR=AVX2")
_OF_NUMPY = ("threads=1", "OPENBLAS_CORETYPE=Haswell", "OPENBLAS_CORETYPE=Nehalem")
TRIALS = (
    Trial(200, "float32", "torch", _OF_TORCH),
    Trial(192, "float32", "torch", ("deterministic", "MKL_CBWR=AVX2")),
    Trial(200, "float32", "torch-autograd", _OF_TORCH),
    Trial(201, "float64", "numpy", _OF_NUMPY),
    Trial(201, "float64", "jax", ("threads=1", "XLA_FLAGS=--xla_cpu_max_isa=AVX2")),
)
_TRIAL_ITERATIONS = 10
CASE_THREADS = 1  # as in `symmetry check`: small products are quickest so, and always the same


@dataclass(frozen=True)
class Study:
    """What a report is made of."""

    machine: Machine
    frameworks: Comparison | None = None  # on a data set
    trials: tuple[Comparison, ...] = ()  # of trainers without and with settings
    growth: Comparison | None = None  # on a case

    @property
    def whole(self) -> bool:
        """Whether it is the report with all its parts."""
        return self.frameworks is not None and self.growth is not None


def full_study(
    data: Dataset,
    settings: Settings,
    listener: ComparisonListener,
    trials: tuple[Trial, ...] = TRIALS,
    case: Case = GROWING,
) -> Study:
    """Compare the installed trainers, try the settings, let one ulp grow.

    Raises
    ------
    SymmetryError
        If a part cannot fit into memory, before any is begun; or if no trainer works.
    """
    for trial in trials:
        trial.task(data, settings).refuse_beyond_memory(len(trial.subjects))
    frameworks = _compare_installed(task_of_dataset(data, settings), listener)
    working = {run.name for run in frameworks.runs}
    tried = tuple(
        compare(trial.task(data, settings), trial.subjects, optional=True, listener=listener)
        for trial in trials
        if trial.trainer in working
    )
    growth = _compare_installed(task_of_case(case), listener, threads=CASE_THREADS)
    return Study(this_machine(), frameworks, tried, growth)


def study(
    task: Task, subjects: tuple[Subject, ...], threads: int | None, listener: ComparisonListener
) -> Study:
    """Compare the trainers that are named, or else those that are installed, on one task."""
    case = task.facts.case is not None
    threads = CASE_THREADS if threads is None and case else threads
    if subjects:
        found = compare(task, subjects, threads=threads, listener=listener)
    else:
        found = _compare_installed(task, listener, threads=threads)
    machine = this_machine()
    return Study(machine, growth=found) if case else Study(machine, frameworks=found)


def _compare_installed(
    task: Task, listener: ComparisonListener, *, threads: int | None = None
) -> Comparison:
    """Compare the built-in trainers, without those that are not installed or do not work."""
    names = installed()
    missing = tuple(LeftOut(name, "not installed") for name in BUILTIN if name not in names)
    subjects = parse_subjects(names)
    comparison = compare(task, subjects, threads=threads, optional=True, listener=listener)
    for each in missing:
        listener.left_out(each)
    return replace(comparison, left_out=(*missing, *comparison.left_out))
