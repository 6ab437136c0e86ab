"""What all trainers of a comparison are given: data, and a network whose weights are zero."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from symmetry.checker.case import Case
from symmetry.checker.recipes import setting
from symmetry.errors import SymmetryError
from symmetry.memory import bytes_to_train, refuse_beyond_memory

if TYPE_CHECKING:  # a process in which a trainer runs reads tasks, and must not load Numba for it
    from symmetry.data.dataset import Dataset
    from symmetry.experiment import Settings

_HELD = 2  # of the training set, in the dtype: the framework's own array, and what converts to it
_LAYERS = 4  # arrays as large as the hidden layer of all samples that a step holds at a time
_WEIGHTS = 6  # arrays as large as both weight matrices


@dataclass(frozen=True)
class TaskFacts:
    """The task as far as the report speaks of it.

    Names are those of ``Settings`` and ``Dataset``. ``case`` is None for a data set; a case has no
    files and no test set: its accuracies are those on the training set.
    """

    data: str
    files: dict[str, str]
    case: Case | None
    train: int
    test: int
    inputs: int
    hidden: int
    classes: int
    iterations: int
    lr: float
    dtype: str


@dataclass(frozen=True, eq=False)
class Task:
    """TaskFacts and arrays: x (n, i) bytes or floats, labels (n,), and the same of the test set."""

    facts: TaskFacts
    x: NDArray[Any]
    labels: NDArray[Any]
    test_x: NDArray[Any]
    test_labels: NDArray[Any]

    def refuse_beyond_memory(self, trainers: int) -> None:
        """Refuse what so many trainers could not hold at the same time."""
        facts = self.facts
        sizes = facts.train, facts.inputs, facts.hidden, facts.classes
        each = bytes_to_train(sizes, facts.dtype, inputs=_HELD, layers=_LAYERS, weights=_WEIGHTS)
        refuse_beyond_memory(trainers * each)


def task_of_dataset(data: Dataset, settings: Settings) -> Task:
    """Return the experiment's task on a data set."""
    arrays = (data.train_x, data.train_labels, data.test_x, data.test_labels)
    return _task(
        settings, arrays, data=data.name, files=data.files, case=None, classes=data.classes
    )


def task_of_case(case: Case) -> Task:
    """Return the task of a generated case; it is tested with what it is trained on."""
    if case.weights != "zero":
        raise SymmetryError(
            "the units of the case must start identical to be compared: "
            f'"weights" must be "zero", not "{case.weights}"'
        )
    from symmetry.experiment import Settings

    settings = Settings(case.h, case.iterations, case.lr, case.dtype)  # or the rate is refused
    arrays = setting(case)
    training_set = arrays.x, arrays.y.argmax(axis=1)
    name = f"generated {case.data}"
    return _task(settings, training_set * 2, data=name, files={}, case=case, classes=case.c)


def _task(settings: Settings, arrays: tuple[NDArray[Any], ...], **facts: Any) -> Task:
    """Return the task on these arrays: inputs and labels, then those of the test set."""
    facts |= {key: getattr(settings, key) for key in ("hidden", "iterations", "lr", "dtype")}
    (n, inputs), tests = arrays[0].shape, len(arrays[2])
    return Task(TaskFacts(train=n, test=tests, inputs=inputs, **facts), *arrays)
