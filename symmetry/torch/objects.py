"""The objects of a training, and finding those that it makes without naming them."""

import inspect
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from types import CellType, ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LRScheduler
from torch.optim.swa_utils import AveragedModel

from symmetry.base.errors import ExtrasError, TrainingError
from symmetry.base.patches import patched
from symmetry.torch.creation import collecting, noting_modules
from symmetry.training.frameworks import OtherFrameworkError
from symmetry.units.words import a_kind

_FOUND: dict[type, str] = {
    torch.optim.Optimizer: "optimizer",
    LRScheduler: "scheduler",
    torch.amp.GradScaler: "scaler",
    AveragedModel: "averaged",
}
GENERATORS = (torch.Generator, np.random.Generator, np.random.RandomState, random.Random)
_DEPTH = 4  # of containers and objects in which random generators are looked for
_LONG = 10_000  # entries: such a list holds data
_SIGNATURE = "a function without parameters that returns (model, step) or (model, step, extras)"


@dataclass(frozen=True)
class Objects:
    """The objects of a training: model, step, optimisers and extras."""

    model: nn.Module
    step: Callable[[Any], Any]  # takes the number of the step, or a batch where ``batch`` is given
    optimizers: Mapping[str, Any]  # by name, in the order in which they were made
    # Everything else with a ``state_dict``: schedulers, scalers, averaged models, dictionaries of
    # tensors, and what the user named.
    extras: Mapping[str, Any]
    batch: Callable[[int], Any] | None  # returns the batch of a step, where the training gives it
    batch_axis: int  # of the samples in the tensors of a batch
    evaluate: Callable[[], Any] | None = None  # evaluates the model between two steps
    # The functions that save into a folder, and load from it into fresh objects.
    save: Callable[[str], Any] | None = None
    load: Callable[[str], Any] | None = None

    @property
    def stateful(self) -> dict[str, Any]:
        """Everything that is saved and restored, by name."""
        return {"model": self.model, **self.optimizers, **self.extras}


@dataclass(frozen=True)
class _Tensors:
    """A dictionary of tensors, saved and restored like what has state dictionaries."""

    tensors: dict[str, Tensor]

    def state_dict(self) -> dict[str, Tensor]:
        return self.tensors

    def load_state_dict(self, saved: Mapping[str, Tensor]) -> None:
        for name, tensor in saved.items():
            if name in self.tensors:  # which others may hold, too
                self.tensors[name].data.copy_(tensor)
            else:
                self.tensors[name] = tensor


def make_objects(training: str, make: Callable[[], Any]) -> Objects:
    """Call the function that makes a training of this name, and read what it returns.

    What it raises passes through.

    Raises
    ------
    TrainingError
        If it returns anything but a training.
    """
    with _collecting() as made:
        returned = make()
    if not isinstance(returned, tuple) or len(returned) not in (2, 3):
        many = f" of length {len(returned)}" if isinstance(returned, tuple | list) else ""
        found = a_kind(returned) + many
        raise OtherFrameworkError(f"{training} returned {found}, expected {_SIGNATURE}", returned)
    model, step, named = (*returned, {})[:3]
    _demand(training, returned, model, step, named)
    named = dict(named)
    batch, axis = named.pop("batch", None), named.pop("batch_axis", 0)
    if batch is not None and not callable(batch):
        raise ExtrasError(f'{training}: extras["batch"] must be a function of the step')
    evaluate = _evaluation(training, model, named.pop("evaluate", None))
    save, load = _files(training, named.pop("save", None), named.pop("load", None))
    if not isinstance(axis, int):
        raise ExtrasError(f'{training}: extras["batch_axis"] must be an integer')
    optimizers, extras = _sorted(training, model, named, made)
    return Objects(model, step, optimizers, extras, batch, axis, evaluate, save, load)


def _evaluation(training: str, model: nn.Module, evaluate: Any) -> Callable[[], Any] | None:
    """Return a function without parameters that calls ``evaluate``, with the model if it is asked.

    Raises
    ------
    TrainingError
        If it cannot be called so.
    """
    if evaluate is None:
        return None
    for given in ((), (model,)):
        with suppress(TypeError, ValueError):
            inspect.signature(evaluate).bind(*given)
            return partial(evaluate, *given)
    raise ExtrasError(
        f'{training}: extras["evaluate"] must be a function that takes nothing, or the model'
    )


def _files(training: str, save: Any, load: Any) -> tuple[Any, Any]:
    """Return the functions that save and load a training: both, or neither."""
    if (save is None) != (load is None) or not all(f is None or callable(f) for f in (save, load)):
        raise ExtrasError(
            f'{training}: extras["save"] and extras["load"] must be two functions of a folder'
        )
    return save, load


def generators_of(objects: Objects) -> list[Any]:
    """Return the random generators that the step and the batch hold, PyTorch's and others.

    They are looked for in what functions enclose, and in lists, dictionaries and objects in there.
    """
    return generators_in([objects.step, objects.batch])


def generators_in(values: Iterable[Any]) -> list[Any]:
    """Return the random generators that these values hold."""
    level = [*values]
    known: dict[int, Any] = {id(value): value for value in level}
    for _ in range(_DEPTH):
        level = [v for value in level for v in _held_in(value) if id(v) not in known]
        known |= {id(value): value for value in level}
    return [value for value in known.values() if isinstance(value, GENERATORS)]


def _held_in(value: Any) -> Iterable[Any]:
    if isinstance(value, (type, ModuleType, Tensor, *GENERATORS)):
        return ()
    if inspect.isfunction(value):
        cells = (c.cell_contents for c in value.__closure__ or () if c != CellType())  # not empty
        return *cells, *(value.__defaults__ or ())
    if inspect.ismethod(value):
        return (value.__self__,)
    if isinstance(value, list | tuple):
        return value if len(value) <= _LONG else ()
    if isinstance(value, dict):
        return value.values()
    return getattr(value, "__dict__", {}).values()  # another mapping may compute its values


def _demand(name: str, returned: Any, model: Any, step: Any, extras: Any) -> None:
    hint = "; put several models into an nn.ModuleDict" if isinstance(model, tuple) else ""
    for what, value, right, wanted in (
        ("model", model, isinstance(model, nn.Module), f"an nn.Module{hint}"),
        ("step", step, callable(step), "a function step(i)"),
        ("extras", extras, isinstance(extras, Mapping), "a dict"),
    ):
        if not right:
            message = f"{name} returned {a_kind(value)} for the {what}, expected {wanted}"
            raise OtherFrameworkError(message, returned)


def _sorted(
    name: str, model: nn.Module, named: Mapping[str, Any], made: list[Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Sort everything into optimisers and extras, under the user's names where there are any."""
    optimizers: dict[str, Any] = {}
    extras: dict[str, Any] = {}
    names = {id(thing): key for key, thing in named.items()}
    known = {*names, *map(id, model.modules())}
    unnamed = [thing for thing in made if id(thing) not in known and not _wraps(thing)]
    for thing in (*named.values(), *unnamed):
        if thing is model or thing is None:
            continue
        optimizer = hasattr(thing, "param_groups") and hasattr(thing, "state")
        target = optimizers if optimizer else extras
        key = names.get(id(thing)) or _free(thing, {*optimizers, *extras, "model"})
        is_dict = isinstance(thing, Mapping) and all(isinstance(t, Tensor) for t in thing.values())
        kept = _Tensors(thing) if is_dict else thing
        if not hasattr(kept, "state_dict"):
            raise TrainingError(f"{name}: extras[{key!r}] is {a_kind(thing)} without state_dict()")
        target[key] = kept
    return optimizers, extras


def held_by(optimizer: Any) -> list[Any]:
    """Return the parameters of an optimiser, from all of its groups."""
    return [p for group in optimizer.param_groups for p in group["params"]]


def rates_of(optimizer: Any) -> tuple[float, ...]:
    """Return the learning rate of each group of an optimiser; nan where it has none."""
    return tuple(float(group.get("lr", math.nan)) for group in optimizer.param_groups)


def _wraps(thing: Any) -> bool:
    """Return whether it only hands its calls on to an optimiser, as Accelerate's does."""
    return isinstance(thing, torch.optim.Optimizer) and not can_be_hooked(thing)


def can_be_hooked(optimizer: Any) -> bool:
    """Return whether an optimiser calls hooks on its steps: an initialised one of PyTorch."""
    return hasattr(optimizer, "_optimizer_step_pre_hooks")


def _free(thing: Any, taken: set[str]) -> str:
    """Return a name for what the user has not named."""
    word = next(word for kind, word in _FOUND.items() if isinstance(thing, kind))
    numbered = [word, *(f"{word}{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in numbered if name not in taken)


@contextmanager
def _collecting() -> Iterator[list[Any]]:
    """Collect the optimisers, schedulers, scalers and averaged models that are made meanwhile."""
    made: list[Any] = []
    # Some subclasses, SequentialLR for one, do not call the method that they override.
    kinds = (kind for base in _FOUND for kind in family_of(base) if "__init__" in vars(kind))
    with noting_modules(), patched(collecting(kind, made) for kind in kinds):
        yield made


def family_of(kind: type) -> list[type]:
    """Return a class and all classes that come from it."""
    children: list[type] = kind.__subclasses__()
    return [kind, *(k for child in children for k in family_of(child))]
