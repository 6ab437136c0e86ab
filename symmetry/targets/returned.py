"""The training of a test: of an object that a function returns, or what the function does."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any

from symmetry.base.errors import NotCheckable, SymmetryError, TrainingError
from symmetry.base.libraries import loop_of
from symmetry.sandbox.source import Source
from symmetry.targets.imports import framework_of
from symmetry.targets.training import TrainingTarget
from symmetry.training import frameworks
from symmetry.training.target import FunctionTraining

_YIELDS = (
    "{} yields (model, step), and would end before the step is taken: return it, or yield a "
    "function without parameters that trains"
)


def returned_training(name: str, make: Callable[[], Any], file: Path) -> TrainingTarget:
    """Return the training of a function that stands in a file; the function is called for it.

    It trains by itself, or returns a trainer, a function without parameters that trains, or
    ``(model, step)``, as a training that is a function does.

    Raises
    ------
    SymmetryError
        If it returns something else, and has trained nothing; or yields ``(model, step)``.
    """
    loop = _Loop(make)
    framework = frameworks.registered()[framework_of(file)]
    if framework.script is None:
        return TrainingTarget(FunctionTraining(name, make))
    training = framework.script(Source(name, loop))
    try:
        training.begin().close()
    except TrainingError as error:
        if isinstance(loop.returned, tuple):
            training.close()
            if loop.yields:
                raise SymmetryError(_YIELDS.format(name)) from None
            return TrainingTarget(FunctionTraining(name, make))
        if isinstance(error, NotCheckable):
            training.close()
            raise SymmetryError(str(error)) from error
    return TrainingTarget(training)


class _Loop:
    """Calls a function, and trains with what it returns, or yields as a context manager.

    Attributes
    ----------
    returned
        What it has returned last, if nothing can be trained with it.
    yields
        Whether it is a context manager that has returned it.
    """

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function, self.returned, self.yields = function, None, False

    def __call__(self) -> None:
        self.returned, made = None, self._function()
        self.yields = isinstance(made, AbstractContextManager)
        entered = made if self.yields else nullcontext(made)
        with entered as returned:
            own = isinstance(returned, FunctionType | MethodType | partial)
            if (train := returned if own else loop_of(returned)) is None:
                self.returned = returned
            else:
                train()
