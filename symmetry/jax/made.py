"""The result of the function of a JAX training: a state, a step, and its batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from symmetry.base.errors import TrainingError
from symmetry.training.frameworks import OtherFrameworkError
from symmetry.units.words import a_kind

_SIGNATURE = "a function without parameters that returns (state, step) or (state, step, extras)"
_EXTRAS = {"batch", "batch_axis"}


@dataclass(frozen=True)
class MadeTraining:
    """The result of the function of a training."""

    state: Any  # the state before the first step: any pytree
    # Takes a state, and the number of the step or its batch; it returns the next state, alone or
    # before something else.
    step: Callable[[Any, Any], Any]
    batch: Callable[[int], Any] | None  # returns the batch of a step, if the training gives it
    batch_axis: int  # the axis of the samples in the arrays of a batch
    part: str = ""  # which part of the user's own step it is, in words; empty if it is all of it


def made_by(name: str, make: Callable[[], Any]) -> MadeTraining:
    """Call the function that makes a training of this name, and read what it returns.

    What it raises passes through.

    Raises
    ------
    TrainingError
        If it returns anything but a training.
    """
    returned = make()
    if isinstance(returned, MadeTraining):  # of a script
        return returned
    if not isinstance(returned, tuple) or len(returned) not in (2, 3):
        found = f"{name} returned {a_kind(returned)}, expected {_SIGNATURE}"
        raise OtherFrameworkError(found, returned)
    state, step, extras = (*returned, {})[:3]
    if not any(map(is_array, jax.tree.leaves(state))):
        found = f"{name} returned {a_kind(state)} for the state, without any array"
        raise OtherFrameworkError(found, returned)
    if not callable(step):
        found = f"{name} returned {a_kind(step)} for the step, expected a function step(state, i)"
        raise OtherFrameworkError(found, returned)
    if not isinstance(extras, Mapping) or not extras.keys() <= _EXTRAS:
        raise TrainingError(f'{name}: extras may hold "batch" and "batch_axis", and nothing else')
    batch, axis = extras.get("batch"), extras.get("batch_axis", 0)
    if batch is not None and not callable(batch):
        raise TrainingError(f'{name}: extras["batch"] must be a function of the step')
    if not isinstance(axis, int):
        raise TrainingError(f'{name}: extras["batch_axis"] must be an integer')
    return MadeTraining(state, step, batch, axis)


def is_array(value: Any) -> bool:
    """Return whether a value is an array of numbers, or of keys of random numbers."""
    if isinstance(value, jax.Array):
        return True
    return isinstance(value, np.ndarray | np.generic) and value.dtype.kind in "biufcV"


def is_number(value: Any) -> bool:
    """Return whether a value is an array, or a plain number that an array may take the place of."""
    return is_array(value) or isinstance(value, int | float | complex)


def has_numbers(value: Any) -> bool:
    """Return whether an array has floating-point or complex numbers."""
    return bool(jnp.issubdtype(value.dtype, jnp.inexact))
