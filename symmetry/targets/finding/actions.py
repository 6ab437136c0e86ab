"""Actions: what exchanging units does to one array.

An action is a tuple of factors, sorted. A factor ``(axis, pairs, where)`` exchanges the slices i
and j of an axis for each pair (i, j); ``where`` limits it to some positions of other axes: pairs of
such an axis and its positions. The empty action leaves the array as it is.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Pairs = tuple[tuple[int, int], ...]
Where = tuple[tuple[int, tuple[int, ...]], ...]
Factor = tuple[int, Pairs, Where]
Action = tuple[Factor, ...]

TOLERANCE = 1e-9  # of the largest entry: below it, two float64 arrays are the same
_TINY = 1e-30
_FAR = 1e6  # times what is usual in an array


def moved(array: Array, action: Action) -> Array:
    """Return the array after an action: a new one, in C order."""
    array = np.array(array, order="C")
    for axis, pairs, where in action:
        first, second = zip(*pairs, strict=True)
        exchange(array, axis, [*first, *second], [*second, *first], where)
    return array


def exchange(
    array: Array, axis: int, to: Sequence[int], source: Sequence[int], where: Where
) -> None:
    """Let the slices ``source`` of an axis take the places ``to``, within the array itself."""
    if not where:
        front = np.moveaxis(array, axis, 0)
        front[to] = front[source]
        return
    (other, positions), *rest = where
    rest_within = tuple((a - (a > other), p) for a, p in rest)
    for position in positions:
        index = (slice(None),) * other + (position,)
        exchange(array[index], axis - (axis > other), to, source, rest_within)


def joined(action: Action, factor: Factor) -> Action | None:
    """Return the action with one factor more; None where they contradict each other."""
    axis, pairs, where = factor
    others = [f for f in action if (f[0], f[2]) != (axis, where)]
    for same_axis in [f for f in action if (f[0], f[2]) == (axis, where)]:
        pairs = tuple(sorted({*pairs, *same_axis[1]}))
    if len({*itertools.chain(*pairs)}) != 2 * len(pairs):
        return None
    return tuple(sorted([*others, (axis, pairs, where)]))


def fits(shape: Sequence[int], action: Action) -> bool:
    """Return whether an array of this shape has all the places that the action names."""
    return all(
        axis < len(shape)
        and max(map(max, pairs)) < shape[axis]
        and all(a < len(shape) and max(p) < shape[a] for a, p in where)
        for axis, pairs, where in action
    )


def finite(array: Array) -> Array:
    """Return numbers that can be compared on one scale: no infinities, no NaN, no truth values.

    Entries that are far larger than the others, such as -1e9 for what attention must not see, come
    out as twice the largest of those.
    """
    if array.dtype.kind not in "fc":
        return array.astype(np.int8) if array.dtype.kind == "b" else array
    sizes = np.array(abs(array))  # of an array without axes it is a number
    if array.size == 0 or sizes.max() < _FAR:  # not so if there is a NaN
        return array
    sizes[~np.isfinite(sizes)] = np.inf
    usual = np.partition(sizes.ravel(), sizes.size // 10)[sizes.size // 10]
    far = sizes >= _FAR * max(usual, 1.0) if np.isfinite(usual) else np.isinf(sizes)
    top = 2 * sizes[~far].max(initial=0.5)
    with np.errstate(invalid="ignore"):
        signs = np.nan_to_num(np.sign(array.real), nan=1.5)
    return np.where(far, top * signs, array)


def changed(old: Array, new: Array, tolerance: float = TOLERANCE) -> NDArray[np.bool_]:
    """Return where two arrays of one shape differ: if they are no integers, by the tolerance."""
    if old.dtype.kind not in "fc":
        return np.asarray(old != new)
    old = finite(old)
    limit = tolerance * (abs(old).max(initial=0.0) + _TINY)
    return np.asarray(abs(old - finite(new)) > limit)


def same(old: Array, new: Array, tolerance: float = TOLERANCE) -> bool:
    """Return whether two arrays have one shape and the same entries."""
    return old.shape == new.shape and not changed(old, new, tolerance).any()


def positions(mask: NDArray[np.bool_]) -> list[list[int]]:
    """Return for each axis the positions at which anything is true."""
    axes = range(mask.ndim)
    return [np.flatnonzero(mask.any(axis=(*axes[:a], *axes[a + 1 :]))).tolist() for a in axes]


def derive(old: Array, new: Array, hints: Iterable[Action] = ()) -> Action | None:
    """Return the action that makes ``new`` of ``old``; None where no action does.

    One axis is looked for, over all of the array or within the positions of other axes that
    changed; and two axes at once, along which the pairs of hints are exchanged (Gram matrices).
    """
    if old.shape != new.shape:
        return None
    mask = changed(old, new)
    if not mask.any():
        return ()
    hints = list(dict.fromkeys(hints))
    for hint in hints:
        if fits(old.shape, hint) and same(moved(old, hint), new):
            return hint
    old, new = finite(old), finite(new)
    where = positions(mask)
    for axis in range(old.ndim):
        if len(where[axis]) > 1:
            for condition in _conditions(old.shape, where, axis):
                action = _along(old, new, axis, where[axis], condition)
                if action is not None:
                    return action
    if sum(len(places) > 1 for places in where) > 1:
        return _along_two(old, new, {factor[1] for hint in hints for factor in hint})
    return None


def _conditions(shape: Sequence[int], where: list[list[int]], axis: int) -> Iterator[Where]:
    yield ()
    limited = [
        (a, tuple(where[a])) for a in range(len(shape)) if a != axis and len(where[a]) < shape[a]
    ]
    if limited:
        yield tuple(limited)


def _along(old: Array, new: Array, axis: int, places: list[int], where: Where) -> Action | None:
    index = [np.arange(size) for size in old.shape]
    index[axis] = np.array(places)
    for a, p in where:
        index[a] = np.array(p)
    grid = np.ix_(*index)
    rows = [np.moveaxis(side[grid], axis, 0).reshape(len(places), -1) for side in (old, new)]
    pairs = _exchanged(*rows)
    if not pairs:
        return None
    action = ((axis, tuple((places[i], places[j]) for i, j in pairs), where),)
    return action if same(moved(old, action), new) else None


def _exchanged(old: Array, new: Array) -> Pairs:
    """Return which rows of ``old`` are exchanged in ``new``; nothing where that is not so.

    Rows are matched by one number each: they are sorted by it on both sides.
    """
    weights = np.cos(np.arange(old.shape[1]) * 1.3 + 0.4)
    before, after = old @ weights, new @ weights
    left, right = before.argsort(kind="stable"), after.argsort(kind="stable")
    limit = TOLERANCE * (abs(old).max() + _TINY) * len(weights) ** 0.5
    if (abs(before[left] - after[right]) > limit).any():
        return ()
    source = dict(zip(right.tolist(), left.tolist(), strict=True))
    if any(source[source[i]] != i for i in source):
        return ()
    return tuple((i, j) for i, j in sorted(source.items()) if i < j)


def _along_two(old: Array, new: Array, pairs: set[Pairs]) -> Action | None:
    for first, second in itertools.permutations(range(old.ndim), 2):
        for p, q in itertools.product(sorted(pairs), repeat=2):
            action = tuple(sorted([(first, p, ()), (second, q, ())]))
            if fits(old.shape, action) and same(moved(old, action), new):
                return action
    return None
