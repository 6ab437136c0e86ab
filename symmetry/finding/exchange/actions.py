"""Actions: the effect of an exchange of units on one array.

An action is a sorted tuple of factors. A factor ``(axis, pairs, within)`` swaps slices i and j of
an axis for each pair (i, j). ``within`` limits it to some positions of other axes: it holds pairs
of such an axis and its positions. The empty action changes nothing.

Example: ``((0, ((0, 1), (2, 3)), ((1, (4, 5)),)),)`` swaps row 0 with row 1 and row 2 with row 3,
but only in columns 4 and 5.

On the axis ``LABELS`` a factor swaps the numbers i and j wherever they stand in the array: after
an exchange of two experts, argmax returns the other's number.

An action is derived from two arrays: which swaps of slices make one of the other.
"""

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from symmetry.finding.exchange.tolerance import (
    TINY,
    TOLERANCE,
    Array,
    beyond,
    largest_entry,
    on_one_scale,
    positions,
)

Pairs = tuple[tuple[int, int], ...]
Within = tuple[tuple[int, tuple[int, ...]], ...]
Factor = tuple[int, Pairs, Within]
Action = tuple[Factor, ...]
Actions = dict[int, Action]  # by the number of the value

LABELS = -1


def moved(array: Array, action: Action) -> Array:
    """Return the array after an action: a new one, in C order."""
    array = np.array(array, order="C")
    for axis, pairs, within in action:
        if axis == LABELS:
            _swap_numbers(array, pairs)
        else:
            _swap_slices(array, axis, pairs, within)
    return array


def joined(action: Action, *factors: Factor) -> Action | None:
    """Return the action with more factors; None if one slice would be in two pairs."""
    pairs: dict[tuple[int, Within], set[tuple[int, int]]] = {}
    for axis, more, within in (*action, *factors):
        pairs.setdefault((axis, within), set()).update(more)
    if any(len({*itertools.chain(*p)}) != 2 * len(p) for p in pairs.values()):
        return None
    return tuple(sorted((axis, tuple(sorted(p)), within) for (axis, within), p in pairs.items()))


def with_factors(action: Action, factors: Sequence[Factor]) -> Action | None:
    """Return the action with more factors; those along the same axes give way if need be."""
    axes = {(axis, within) for axis, _, within in factors}
    others = tuple(f for f in action if (f[0], f[2]) not in axes)
    return joined(action, *factors) or joined(others, *factors)


def extends(action: Action, old: Action) -> bool:
    """Return whether an action swaps all slices that an older one swaps."""
    return all(
        any(f == factor or (f[0] == factor[0] and {*factor[1]} <= {*f[1]}) for f in action)
        for factor in old
    )


def fits(shape: Sequence[int], action: Action) -> bool:
    """Return whether an array of this shape has all slices that the action names."""
    return all(
        axis < len(shape)
        and (axis == LABELS or max(map(max, pairs)) < shape[axis])
        and all(a < len(shape) and max(p) < shape[a] for a, p in within)
        for axis, pairs, within in action
    )


def _swap_numbers(array: Array, pairs: Pairs) -> None:
    masks = [(array == number, other) for p in pairs for number, other in (p, p[::-1])]
    for mask, other in masks:
        array[mask] = other


def _swap_slices(array: Array, axis: int, pairs: Pairs, within: Within) -> None:
    first, second = zip(*pairs, strict=True)
    view, limits = np.moveaxis(array, axis, 0), dict(within)
    rest = [limits.get(a, range(size)) for a, size in enumerate(array.shape) if a != axis]
    if all(own == (*range(own[0], own[-1] + 1),) for own in limits.values()):  # slices are faster
        view = view[:, *(slice(own[0], own[-1] + 1) for own in rest)] if within else view
        view[[*first, *second]] = view[[*second, *first]]
    else:
        view[np.ix_(first + second, *rest)] = view[np.ix_(second + first, *rest)]


def derive(old: Array, new: Array, hints: Iterable[Action] = ()) -> Action | None:
    """Return the action that makes ``new`` of ``old``; None if there is no such action.

    It is looked for along one axis, in the whole array or within the changed positions of other
    axes; among swaps of numbers, with the pairs of the hints; and along several axes at once, as a
    Gram matrix needs it.
    """
    if old.shape != new.shape:
        return None
    integers = old.dtype.kind == "i"
    old, new = on_one_scale(old, new)
    mask = _differences(old, new)
    if not mask.any():
        return ()
    guesses = _guesses(old, new, positions(mask), [*dict.fromkeys(hints)], numbers=integers)
    fitting = (action for action in guesses if fits(old.shape, action))
    return next((a for a in fitting if not _differences(moved(old, a), new).any()), None)


def _guesses(
    old: Array,
    new: Array,
    places: Sequence[tuple[int, ...]],
    hints: Sequence[Action],
    *,
    numbers: bool,
) -> Iterator[Action]:
    """Yield actions that may make ``new`` of ``old``, which differ at some places of each axis.

    One factor comes before several: if slices are equal, swapping more of them changes nothing.
    """
    yield from (hint for hint in hints if len(hint) == 1)
    if not numbers and not _have_same_sums(old, new):
        return
    limited = [(a, p) for a, p in enumerate(places) if len(p) < old.shape[a]]
    for axis in _possible_axes(old, new):
        for within in dict.fromkeys([(), tuple(limit for limit in limited if limit[0] != axis)]):
            pairs = _swapped(old, new, axis, places[axis], within)
            if pairs:
                yield ((axis, pairs, within),)
    if numbers:
        several = sorted({factor[1] for hint in hints for factor in hint})
        yield from (((LABELS, pairs, ()),) for pairs in several)
    factors = [(a, _swapped(old, new, a, p, (), several=True), ()) for a, p in enumerate(places)]
    yield tuple(factor for factor in factors if factor[1])


def _differences(old: Array, new: Array) -> NDArray[np.bool_]:
    """Return where two arrays differ that are on one scale."""
    if old.dtype.kind == "i":
        return np.asarray(old != new)
    return beyond(old, new, TOLERANCE * (largest_entry(old) + TINY))


def _have_same_sums(old: Array, new: Array) -> bool:
    """Return whether the sums of all entries are the same, as after any move of entries.

    So are the sums of their cubes: entries that were normalised always have the same sum.
    """
    largest, allowed = largest_entry(old) + TINY, old.size * TOLERANCE
    if abs((new - old).sum()) > 2 * largest * allowed:
        return False
    left, right = (side / largest + 0.3 for side in (old, new))
    return bool(abs((right * right * right - left * left * left).sum()) <= 8 * allowed)


def _possible_axes(old: Array, new: Array) -> Sequence[int]:
    """Return the axes along which slices may be swapped: along all others the sums stay."""
    change, axes = new - old, range(old.ndim)
    size = old.size * TOLERANCE * (largest_entry(old) + TINY)
    stay = [
        (abs(change.sum((*axes[:a], *axes[a + 1 :]))) * count <= size).all()
        for a, count in enumerate(old.shape)
    ]
    return [axis for axis in axes if all(stay[:axis]) and all(stay[axis + 1 :])]


def _swapped(
    old: Array,
    new: Array,
    axis: int,
    places: tuple[int, ...],
    within: Within,
    *,
    several: bool = False,
) -> Pairs:
    """Return the pairs of slices of ``old`` that are swapped in ``new``; () if there are none.

    Slices are matched by one number each: both sides are sorted by it. With ``several``, the number
    does not depend on the order within a slice, since slices of other axes are swapped as well.
    """
    for a, limit in (*within, (axis, places)):
        if len(limit) < old.shape[a]:
            old, new = old.take(limit, a), new.take(limit, a)
    number = _unordered_numbers if several else _ordered_numbers
    left, right = (number(side, axis).argsort(kind="stable") for side in (old, new))
    source = np.empty_like(left)
    source[right] = left
    if (source[source] != np.arange(len(places))).any():  # a longer cycle is no swap
        return ()
    return tuple((places[i], places[j]) for i, j in enumerate(source.tolist()) if i < j)


def _ordered_numbers(array: Array, axis: int) -> Array:
    """Return one number for each slice of an axis: a weighted sum of its entries."""
    before, after = math.prod(array.shape[:axis]), math.prod(array.shape[axis + 1 :])
    left, right = (np.cos(np.arange(n) * step + 0.4) for n, step in ((before, 0.7), (after, 1.3)))
    numbers: Array = left @ (array.reshape(before, array.shape[axis], after) @ right)
    return numbers


def _unordered_numbers(array: Array, axis: int) -> Array:
    """Return one number for each slice that does not depend on the order of its entries."""
    spread = array / (largest_entry(array) + TINY) + 0.3
    numbers: Array = (spread * spread * spread).sum((*range(axis), *range(axis + 1, array.ndim)))
    return numbers
