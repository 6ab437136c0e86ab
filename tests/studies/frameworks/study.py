"""The whole report in one go: the frameworks, the settings, and the case that grows.

What is tried is fixed here; what comes out of it is not: on another machine, nothing may break.
"""

from dataclasses import dataclass

from symmetry.experiment.data.dataset import Dataset
from symmetry.experiment.settings import Settings
from symmetry.law.case import Case
from tests.studies.frameworks.compare import ComparisonListener, compare
from tests.studies.frameworks.entrant import parse_entrants
from tests.studies.frameworks.environment import this_machine
from tests.studies.frameworks.record import Comparison
from tests.studies.frameworks.task import Task, task_of_case

# Few samples, dense inputs, a large learning rate: each step multiplies a difference of rounding.
GROWING = Case(30, 20, 33, 5, 5.0, 300, "float64", "normals", "zero", seed=1)


def _with(trainer: str, *settings: str) -> tuple[str, ...]:
    return (trainer, *(f"{trainer}[{setting}]" for setting in settings))


_OPENBLAS = ("OPENBLAS_CORETYPE=Haswell", "OPENBLAS_CORETYPE=Nehalem")
_XLA = "XLA_FLAGS=--xla_cpu_max_isa=AVX2"
# Trainers without and with settings, at sizes where units were seen to split without.
TRIALS = (
    (Settings(200, 10), _with("torch", "deterministic", "threads=1", "MKL_CBWR=AVX2")),
    (Settings(192, 10), _with("torch", "deterministic", "MKL_CBWR=AVX2")),
    (Settings(200, 10), _with("torch-autograd", "deterministic", "threads=1", "MKL_CBWR=AVX2")),
    (Settings(201, 10, dtype="float64"), _with("numpy", "threads=1", *_OPENBLAS)),
    (Settings(201, 10, dtype="float64"), _with("jax", "threads=1", _XLA)),
)


@dataclass(frozen=True)
class Study:
    """What a report is made of; without ``growth`` it is the report of one comparison."""

    machine: dict[str, str]
    main: Comparison
    trials: tuple[Comparison, ...] = ()  # of trainers without and with settings
    growth: Comparison | None = None  # on a case

    @property
    def comparisons(self) -> tuple[Comparison, ...]:
        """All of them, in the order of the report."""
        return (self.main, *self.trials, *((self.growth,) if self.growth else ()))


def full_study(
    data: Dataset,
    settings: Settings,
    listener: ComparisonListener,
    trials: tuple[tuple[Settings, tuple[str, ...]], ...] = TRIALS,
    case: Case = GROWING,
) -> Study:
    """Compare the installed trainers, try the settings, let one ulp grow.

    What cannot fit into memory is refused before anything is begun.
    """
    prepared = [(Task(data, own), parse_entrants(names)) for own, names in trials]
    for task, entrants in prepared:
        task.refuse_beyond_memory(len(entrants))
    main = compare(Task(data, settings), listener=listener)
    tried = tuple(
        compare(task, entrants, optional=True, listener=listener)
        for task, entrants in prepared
        if main.run(entrants[0].name)
    )
    growth = compare(task_of_case(case), listener=listener)
    return Study(this_machine(), main, tried, growth)
