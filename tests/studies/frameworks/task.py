"""What is trained on what: settings, and data or a case to generate them from."""

from __future__ import annotations

from dataclasses import dataclass

from symmetry.base.errors import SymmetryError
from symmetry.base.memory import bytes_to_train, refuse_beyond_memory
from symmetry.experiment.data.dataset import Dataset
from symmetry.experiment.settings import Settings
from symmetry.law.case import Case
from symmetry.steps.cases import make_start

_HELD = 2  # of the training set, in the dtype: the framework's own array, and what converts to it
_LAYERS = 4  # arrays as large as the hidden layer of all samples that a step holds at a time
_WEIGHTS = 6  # arrays as large as both weight matrices


@dataclass(frozen=True, eq=False)
class Task:
    """What all trainers of a comparison are given; all weights start at zero.

    What follows from a ``case`` is tested with what it is trained on.
    """

    data: Dataset
    settings: Settings
    case: Case | None = None

    def refuse_beyond_memory(self, trainers: int) -> None:
        """Refuse what so many trainers could not hold at the same time."""
        data, settings = self.data, self.settings
        sizes = len(data.train_x), data.inputs, settings.hidden, data.classes
        each = bytes_to_train(sizes, settings.dtype, inputs=_HELD, layers=_LAYERS, weights=_WEIGHTS)
        refuse_beyond_memory(trainers * each)


def task_of_case(case: Case) -> Task:
    """Return the task that a case stands for."""
    if case.weights != "zero":
        raise SymmetryError(
            "the units of the case must start identical to be compared: "
            f'"weights" must be "zero", not "{case.weights}"'
        )
    settings = Settings(case.h, case.iterations, case.lr, case.dtype)  # or the rate is refused
    arrays = make_start(case)
    samples = arrays.x, arrays.y.argmax(axis=1)
    data = Dataset(f"generated {case.data}", {}, (1, case.i), *samples, *samples, case.c)
    return Task(data, settings, case)
