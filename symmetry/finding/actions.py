"""Actions: what exchanging units does to one array.

An action is a tuple of factors, sorted. A factor ``(axis, pairs, where)`` exchanges the slices i
and j of an axis for each pair (i, j); ``where`` limits it to some positions of other axes: pairs of
such an axis and its positions. Along the axis ``LABELS`` it exchanges the numbers i and j wherever
they stand: what argmax yields names other units then. The empty action leaves the array as it is.
"""

import itertools
import math
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
_LARGE, _FEW = 30_000, 4_000  # entries: of as many, so many are compared first
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
        if all(own == (*range(own[0], own[-1] + 1),) for own in limits.values()):  # this is fast
            view = view[:, *(slice(own[0], own[-1] + 1) for own in rest)] if where else view
            view[[*first, *second]] = view[[*second, *first]]
        else:
            view[np.ix_(first + second, *rest)] = view[np.ix_(second + first, *rest)]
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
    far, largest = _scale(old, new)
    return _beyond(old, new, far=far, limit=tolerance * (largest + _TINY))


def same(old: Array, new: Array, tolerance: float = TOLERANCE) -> bool:
    """Return whether two arrays have one shape and the same entries."""
    if old.shape != new.shape:
        return False
    if old.dtype.kind not in "fc":
        return not (old != new).any()
    far, largest = _scale(old, new)
    limit = tolerance * (largest + _TINY)
    looks = (_beyond(*sides, far=far, limit=limit) for sides in _looked_at(old, new))
    return not any(beyond.any() for beyond in looks)


def _looked_at(old: Array, new: Array) -> Iterator[tuple[Array, Array]]:
    """Yield a few entries of two large arrays, which mostly tell them apart, and then all."""
    if old.size > _LARGE and old.flags.c_contiguous and new.flags.c_contiguous:
        step = old.size // _FEW | 1  # odd, or it may see one slice alone
        yield old.reshape(-1)[::step], new.reshape(-1)[::step]
    yield old, new


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
    integers = old.dtype.kind == "i"
    old, new = _levelled(old, new)
    mask = _apart(old, new)
    if not mask.any():
        return ()
    guesses = _guesses(old, new, positions(mask), [*dict.fromkeys(hints)], labels=integers)
    fitting = (action for action in guesses if _fits(old.shape, action))
    return next((a for a in fitting if not _apart(moved(old, a), new).any()), None)


def _guesses(
    old: Array,
    new: Array,
    places: Sequence[tuple[int, ...]],
    hints: Sequence[Action],
    *,
    labels: bool,
) -> Iterator[Action]:
    """Yield actions that may make ``new`` of ``old``, which differ in places of each axis.

    One factor comes before several: where slices are equal, any may be exchanged as well.
    """
    yield from (hint for hint in hints if len(hint) == 1)
    limited = [(a, p) for a, p in enumerate(places) if len(p) < old.shape[a]]
    for axis in _axes(old, new):
        for where in dict.fromkeys([(), tuple(limit for limit in limited if limit[0] != axis)]):
            pairs = _exchanged(old, new, axis, places[axis], where)
            if pairs:
                yield ((axis, pairs, where),)
    if labels:
        known = sorted({factor[1] for hint in hints for factor in hint})
        yield from (((LABELS, pairs, ()),) for pairs in known)
    found = [(a, _exchanged(old, new, a, p, (), several=True), ()) for a, p in enumerate(places)]
    yield tuple(factor for factor in found if factor[1])


def _apart(old: Array, new: Array) -> NDArray[np.bool_]:
    """Return where two arrays differ that are on one scale."""
    if old.dtype.kind == "i":
        return np.asarray(old != new)
    return _beyond(old, new, far=False, limit=TOLERANCE * (_largest(old) + _TINY))


def _beyond(old: Array, new: Array, *, far: bool, limit: float) -> NDArray[np.bool_]:
    """Return where two arrays differ by more than a limit, on the scale that ``far`` tells."""
    change = _level(old) - _level(new) if far else old - new
    sizes = np.abs(change, out=change) if change.dtype.kind == "f" and change.ndim else abs(change)
    return np.asarray(sizes > limit)


def _scale(old: Array, new: Array) -> tuple[bool, float]:
    """Return whether two arrays are to be levelled, and the largest entry of the first then."""
    largest = _largest(old)
    if largest < _FAR and _largest(new) < _FAR:  # not so if there is a NaN
        return False, largest
    if math.isfinite(largest) and old.dtype.kind == "f":
        return True, math.asinh(largest)
    return True, _largest(_level(old))


def _level(array: Array) -> Array:
    levelled: Array = np.arcsinh(np.nan_to_num(array, nan=_FAR))
    return levelled


def _largest(array: Array) -> float:
    """Return the largest absolute value; without a temporary array, for arrays are large."""
    if array.dtype.kind == "c":
        return float(abs(array).max(initial=0.0))
    return float(max(array.max(initial=0), -array.min(initial=0)))


def _axes(old: Array, new: Array) -> Sequence[int]:
    """Return the axes along which slices may be exchanged: all other slices keep their sums."""
    change, axes = new - old, range(old.ndim)
    size = old.size * TOLERANCE * (_largest(old) + _TINY)
    kept = [
        (abs(change.sum((*axes[:a], *axes[a + 1 :]))) * count <= size).all()
        for a, count in enumerate(old.shape)
    ]
    return [axis for axis in axes if all(kept[:axis]) and all(kept[axis + 1 :])]


def _levelled(old: Array, new: Array) -> list[Array]:
    """Return what can be compared on one scale: no infinities, no NaN, and no truth values.

    Masks of -1e9 or -inf, as attention has them, must not hide what happens to other entries.
    """
    if old.dtype.kind not in "fc":
        return [side.astype(np.int64) for side in (old, new)]
    return [*map(_level, (old, new))] if _scale(old, new)[0] else [old, new]


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
    for a, limit in (*where, (axis, places)):
        if len(limit) < old.shape[a]:
            old, new = old.take(limit, a), new.take(limit, a)
    number = _unordered if several else _numbers
    left, right = (number(side, axis).argsort(kind="stable") for side in (old, new))
    source = np.empty_like(left)
    source[right] = left
    if (source[source] != np.arange(len(places))).any():
        return ()
    return tuple((places[i], places[j]) for i, j in enumerate(source.tolist()) if i < j)


def _numbers(array: Array, axis: int) -> Array:
    """Return one number for each slice of an axis, by which slices are matched."""
    before, after = math.prod(array.shape[:axis]), math.prod(array.shape[axis + 1 :])
    left, right = (np.cos(np.arange(n) * step + 0.4) for n, step in ((before, 0.7), (after, 1.3)))
    numbers: Array = left @ (array.reshape(before, array.shape[axis], after) @ right)
    return numbers


def _unordered(array: Array, axis: int) -> Array:
    """Return such a number that does not depend on the order within a slice."""
    spread = array / (_largest(array) + _TINY) + 0.3
    numbers: Array = (spread * spread * spread).sum((*range(axis), *range(axis + 1, array.ndim)))
    return numbers
