"""The labels of a loss of classes: which class is chosen for each row of the scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from symmetry.jax.jaxprs.interpreter import bind
from symmetry.units.state import Array

IGNORED = -100  # the label of a row that no label is known of
_ONE = 1e-5  # how far chances may be from one in all


def chosen_by(equation: Any, args: Sequence[Any], position: int, axis: int) -> Array | None:
    """Return what an operation chooses among the scores, which are this operand; None if nothing.

    They are numbers of classes, one for each row; or as many chances as there are scores.
    """
    name, shape = equation.primitive.name, args[position].shape
    if name in ("gather", "dynamic_slice"):
        return _gathered(equation, args, shape, axis)
    if name == "select_n":
        mask = np.asarray(args[0], bool)
        return _as_labels((mask if position == 2 else ~mask).astype(np.float64), axis)
    other = np.asarray(args[1 - position], np.float64)
    if name == "dot_general" and not _is_entrywise(equation, len(shape)):
        return None
    return _as_labels(other, axis)


def _gathered(
    equation: Any, args: Sequence[Any], shape: tuple[int, ...], axis: int
) -> Array | None:
    """Return the class of each row, by taking the numbers of the entries instead of them."""
    numbers = jnp.arange(np.prod(shape, dtype=int)).reshape(shape)
    params = dict(equation.params)
    if equation.primitive.name == "gather":
        params["fill_value"] = -1
    (taken,) = bind(equation, [numbers, *args[1:]], params)
    flat = np.unique(np.asarray(taken).ravel())
    flat = flat[(flat >= 0) & (flat < numbers.size)]
    places = [*np.unravel_index(flat, shape)]
    classes = places.pop(axis)
    rows = tuple(n for k, n in enumerate(shape) if k != axis)
    where = np.ravel_multi_index(places, rows) if rows else np.zeros(len(flat), int)
    if not len(where) or len(np.unique(where)) < len(where):
        return None
    labels = np.full(int(np.prod(rows, dtype=int)), IGNORED)
    labels[where] = classes
    return labels.reshape(rows)


def _as_labels(chances: Array, axis: int) -> Array | None:
    """Return chances as labels if each row has one, or none; as they are if they sum to one."""
    sums = chances.sum(axis)
    empty = sums == 0
    if (chances < 0).any() or not (empty | (abs(sums - 1) < _ONE)).all() or empty.all():
        return None
    if not np.isin(chances, (0, 1)).all():
        return None if empty.any() else chances
    return np.where(empty, IGNORED, chances.argmax(axis))


def _is_entrywise(equation: Any, ndim: int) -> bool:
    """Return whether a product only multiplies entries at the same places."""
    (mine, others), (batch, other_batch) = equation.params["dimension_numbers"]
    pairs = [*zip(mine, others, strict=True), *zip(batch, other_batch, strict=True)]
    return len(pairs) == ndim and all(one == other for one, other in pairs)
