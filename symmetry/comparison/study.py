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
GROWING = Case(
    n=30,
    i=20,
    h=33,
    c=5,
    lr=5.0,
    iterations=300,
    dtype="float64",
    data="normals",
    weights="zero",
    seed=1,
)


@dataclass(frozen=True)
class Trial:
    """Trainers without and with settings, at sizes where those without have been seen to fail."""

    hidden: int
    dtype: str
    names: tuple[str, ...]


TRIALS = (
    Trial(
        200,
        "float32",
        ("torch", "torch[deterministic]", "torch[threads=1]", "torch[MKL_CBWR=AVX2]"),
    ),
    Trial(192, "float32", ("torch", "torch[deterministic]", "torch[MKL_CBWR=AVX2]")),
    Trial(
        200,
        "float32",
        (
            "torch-autograd",
            "torch-autograd[deterministic]",
            "torch-autograd[threads=1]",
            "torch-autograd[MKL_CBWR=AVX2]",
        ),
    ),
    Trial(
        201,
        "float64",
        (
            "numpy",
            "numpy[threads=1]",
            "numpy[OPENBLAS_CORETYPE=Haswell]",
            "numpy[OPENBLAS_CORETYPE=Nehalem]",
        ),
    ),
    Trial(201, "float64", ("jax", "jax[threads=1]", "jax[XLA_FLAGS=--xla_cpu_max_isa=AVX2]")),
)
_TRIAL_ITERATIONS = 10
CASE_THREADS = 1  # as in `symmetry check`: small products are quickest so, and always the same


@dataclass(frozen=True)
class Study:
    """What a report is made of.

    Attributes
    ----------
    frameworks
        The comparison that was asked for; None if it was one of a case.
    trials
        Settings beside the same trainers without them.
    growth
        The comparison of a case.
    """

    machine: Machine
    frameworks: Comparison | None = None
    trials: tuple[Comparison, ...] = ()
    growth: Comparison | None = None

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
    tasks = [_task(trial, data, settings) for trial in trials]
    for trial, task in zip(trials, tasks, strict=True):
        task.refuse_beyond_memory(len(trial.names))
    frameworks = compare_installed(task_of_dataset(data, settings), listener)
    working = {run.name for run in frameworks.runs}
    tried = []
    for trial, task in zip(trials, tasks, strict=True):
        chosen = tuple(s for s in parse_subjects(trial.names) if s.trainer in working)
        if chosen:
            tried.append(compare(task, chosen, optional=True, listener=listener))
    growth = compare_installed(task_of_case(case), listener, threads=CASE_THREADS)
    return Study(this_machine(), frameworks, tuple(tried), growth)


def study(
    task: Task, subjects: tuple[Subject, ...], threads: int | None, listener: ComparisonListener
) -> Study:
    """Compare the trainers that are named, or else those that are installed, on one task."""
    case = task.facts.case is not None
    threads = CASE_THREADS if threads is None and case else threads
    if subjects:
        found = compare(task, subjects, threads=threads, listener=listener)
    else:
        found = compare_installed(task, listener, threads=threads)
    machine = this_machine()
    return Study(machine, growth=found) if case else Study(machine, frameworks=found)


def compare_installed(
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


def _task(trial: Trial, data: Dataset, settings: Settings) -> Task:
    """Return what a trial trains: its own sizes, and a few iterations."""
    iterations = min(settings.iterations, _TRIAL_ITERATIONS)
    own = replace(settings, hidden=trial.hidden, dtype=trial.dtype, iterations=iterations)
    return task_of_dataset(data, own)
