"""Influence: which values of a trace move where others are replaced, and by which operation first.

Example: a softmax over the samples, where the third sample of the batch is replaced.

    x (6, 4)  --mm-->  h (6, 3)  --softmax(0)-->  p (6, 3)

    moved = spread(trace, {x: other})     each operation that takes a moved value is done again
    moved.arrays[h]                       differs from h in row 2
    moved.arrays[p]                       differs from p in all rows
    moved.first[p]                        the softmax

An invariant is a question: which values are replaced, and which others must move, or must not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from symmetry.training.trace import Trace
from symmetry.units.state import Array


@dataclass(frozen=True)
class Moved:
    """The values that move where some are replaced."""

    arrays: dict[int, Array] = field(default_factory=dict)  # what they hold then
    # For each value that moves, but for those that were replaced, the operation that makes it.
    first: dict[int, int] = field(default_factory=dict)
    # For each value of which nothing is known, the first operation that takes no other numbers.
    unknown: dict[int, int] = field(default_factory=dict)

    def __contains__(self, value: int) -> bool:
        """Return whether a value is known to move."""
        return value in self.arrays

    def any_of(self, values: Collection[int]) -> bool | None:
        """Return whether any of some values moves; None if that is not known."""
        if any(value in self.arrays for value in values):
            return True
        return None if any(value in self.unknown for value in values) else False


def spread(
    trace: Trace,
    new: Mapping[int, Array],
    nodes: Iterable[int] | None = None,
    *,
    through: Callable[[int], bool] = lambda _: True,
    until: Collection[int] = (),
) -> Moved:
    """Replace values, perform again what takes them, and return what moves.

    Parameters
    ----------
    trace
        It stays as it is.
    new
        The other arrays, by the numbers of the values.
    nodes
        The operations that are looked at, in their order; all by default.
    through
        Whether a value may carry a change on; all others stay as they are.
    until
        Nothing more is performed as soon as one of these moves.
    """
    moved = Moved(dict(new))
    for k in range(len(trace.nodes)) if nodes is None else nodes:
        node = trace.nodes[k]
        outputs = [value for value in node.outputs if through(value)]
        if not outputs:
            continue
        if behind := [moved.unknown[i] for i in node.inputs if i in moved.unknown]:
            moved.unknown.update(dict.fromkeys(outputs, behind[0]))
            continue
        given = {x: moved.arrays[i] for x, i in enumerate(node.inputs) if i in moved.arrays}
        if not given:
            continue
        results = trace.perform(k, given)
        if results is None:
            moved.unknown.update(dict.fromkeys(outputs, k))
            continue
        for value, result in zip(node.outputs, results, strict=True):
            if not through(value):
                continue
            if trace.arrays[value].shape != result.shape:
                moved.unknown[value] = k
            elif not np.array_equal(
                trace.arrays[value], result, equal_nan=result.dtype.kind in "fc"
            ):
                moved.arrays[value] = result
                moved.first[value] = k
        if any(value in moved.arrays for value in until):
            break
    return moved


def other_numbers(array: Array, number: int = 0) -> Array:
    """Return other numbers of the same kind and size: noise where they are real.

    A mean does not move if entries are exchanged, so nothing is.
    """
    random = np.random.default_rng(number)
    if array.dtype.kind == "b":
        return ~array
    if array.dtype.kind in "iu":
        return np.roll(array, 1, axis=0) if array.ndim else array
    size = float(np.std(array)) or float(np.abs(array).max(initial=0.0)) or 1.0
    noise = array + 0.1 * size * random.standard_normal(array.shape)
    return np.asarray(noise, array.dtype)  # of a number, too: operations take arrays only
