"""Actions: what exchanging units does to one array.

An action is a tuple of factors, sorted. A factor ``(axis, pairs, where)`` exchanges the slices i
and j of an axis for each pair (i, j); ``where`` limits it to some positions of other axes: pairs of
such an axis and its positions. Along the axis ``LABELS`` it exchanges the numbers i and j wherever
they stand: what argmax yields names other units then. The empty action leaves the array as it is.
"""

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

LABELS = -1
TOLERANCE = 1e-9  # of the largest entry: below it, two float64 arrays are the same
_TINY = 1e-30
_FAR = 1e6  # arrays with larger entries are compared by the logarithms of those


def moved(array: Array, action: Action) -> Array:
    """Return the array after an action: a new one, in C order."""
    array = np.array(array, order="C")
    for axis, pairs, where in action:
        first, second = zip(*pairs, strict=True)
        if axis == LABELS:
            places = [(array == label, other) for p in pairs for label, other in (p, p[::-1])]
            for mask, other in places:
                array[mask] = other
            continue
        view, limits = np.moveaxis(array, axis, 0), dict(where)
        rest = [limits.get(a, range(size)) for a, size in enumerate(array.shape) if a != axis]
        to, source = (
            np.ix_(places, *rest) if where else ([*places],)
            for places in (first + second, second + first)
        )
        view[to] = view[source]
    return array


def joined(action: Action, *factors: Factor) -> Action | None:
    """Return the action with more factors; None where they contradict each other."""
    pairs: dict[tuple[int, Where], set[tuple[int, int]]] = {}
    for axis, more, where in (*action, *factors):
        pairs.setdefault((axis, where), set()).update(more)
    if any(len({*itertools.chain(*p)}) != 2 * len(p) for p in pairs.values()):
        return None
    return tuple(sorted((axis, tuple(sorted(p)), where) for (axis, where), p in pairs.items()))


def changed(old: Array, new: Array, tolerance: float = TOLERANCE) -> NDArray[np.bool_]:
    """Return where two arrays of one shape differ: if they are no integers, by the tolerance."""
    if old.dtype.kind not in "fc":
        return np.asarray(old != new)
    old, new = _levelled(old, new)
    return np.asarray(abs(old - new) > tolerance * (abs(old).max(initial=0.0) + _TINY))


def same(old: Array, new: Array, tolerance: float = TOLERANCE) -> bool:
    """Return whether two arrays have one shape and the same entries."""
    return old.shape == new.shape and not changed(old, new, tolerance).any()


def positions(mask: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    """Return for each axis the positions at which anything is true."""
    axes = range(mask.ndim)
    found = [mask.any(axis=(*axes[:a], *axes[a + 1 :])) for a in axes]
    return [tuple(np.flatnonzero(places).tolist()) for places in found]


def derive(old: Array, new: Array, hints: Iterable[Action] = ()) -> Action | None:
    """Return the action that makes ``new`` of ``old``; None where no action does.

    One axis is looked for, over all of the array or within the positions of other axes that
    changed; labels, with the pairs of hints (argmax); and several axes at once (Gram matrices).
    """
    if old.shape != new.shape:
        return None
    mask = changed(old, new)
    if not mask.any():
        return ()
    guesses = _guesses(old, new, positions(mask), [*dict.fromkeys(hints)])
    return next((a for a in guesses if _fits(old.shape, a) and same(moved(old, a), new)), None)


def _guesses(
    old: Array, new: Array, places: Sequence[tuple[int, ...]], hints: Sequence[Action]
) -> Iterator[Action]:
    """Yield actions that may make ``new`` of ``old``, which differ in places of each axis.

    One factor comes before several: where slices are equal, any may be exchanged as well.
    """
    yield from (hint for hint in hints if len(hint) == 1)
    limited = [(a, p) for a, p in enumerate(places) if len(p) < old.shape[a]]
    for axis in range(old.ndim):
        for where in dict.fromkeys([(), tuple(limit for limit in limited if limit[0] != axis)]):
            pairs = _exchanged(old, new, axis, places[axis], where)
            if pairs:
                yield ((axis, pairs, where),)
    if old.dtype.kind == "i":
        known = sorted({factor[1] for hint in hints for factor in hint})
        yield from (((LABELS, pairs, ()),) for pairs in known)
    found = [(a, _exchanged(old, new, a, p, (), several=True), ()) for a, p in enumerate(places)]
    yield tuple(factor for factor in found if factor[1])


def _levelled(old: Array, new: Array) -> list[Array]:
    """Return what can be compared on one scale: no infinities, no NaN, and no truth values.

    Masks of -1e9 or -inf, as attention has them, must not hide what happens to other entries.
    """
    if old.dtype.kind not in "fc":
        return [side.astype(np.int64) for side in (old, new)]
    if all(abs(side).max(initial=0.0) < _FAR for side in (old, new)):  # not so if there is a NaN
        return [old, new]
    return [np.arcsinh(np.nan_to_num(side, nan=_FAR)) for side in (old, new)]


def _fits(shape: Sequence[int], action: Action) -> bool:
    """Return whether an array of this shape has all the places that the action names."""
    return all(
        axis < len(shape)
        and (axis == LABELS or max(map(max, pairs)) < shape[axis])
        and all(a < len(shape) and max(p) < shape[a] for a, p in where)
        for axis, pairs, where in action
    )


def _exchanged(
    old: Array,
    new: Array,
    axis: int,
    places: tuple[int, ...],
    where: Where,
    *,
    several: bool = False,
) -> Pairs:
    """Return which slices of ``old`` are exchanged in ``new``; nothing where that is not so.

    Slices are matched by one number each: they are sorted by it on both sides. With ``several``,
    their own entries may be in another order: along other axes slices are exchanged, too.
    """
    limits = {**dict(where), axis: places}
    grid = np.ix_(*(limits.get(a, range(size)) for a, size in enumerate(old.shape)))
    before, after = (
        np.moveaxis(side[grid], axis, 0).reshape(len(places), -1) for side in _levelled(old, new)
    )
    if several:
        before, after = np.sort(before), np.sort(after)
    weights = np.cos(np.arange(before.shape[1]) * 1.3 + 0.4)
    left, right = ((rows @ weights).argsort(kind="stable").tolist() for rows in (before, after))
    source = dict(zip(right, left, strict=True))
    if any(source[source[i]] != i for i in source):
        return ()
    return tuple((places[i], places[j]) for i, j in sorted(source.items()) if i < j)
