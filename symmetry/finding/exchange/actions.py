"""Actions: the effect of an exchange of units on one array.

An action is a sorted tuple of factors. A factor ``(axis, pairs, within)`` swaps slices i and j of
an axis for each pair (i, j). ``within`` limits it to some positions of other axes: it holds pairs
of such an axis and its positions. The empty action changes nothing.

Example: ``((0, ((0, 1), (2, 3)), ((1, (4, 5)),)),)`` swaps row 0 with row 1 and row 2 with row 3,
but only in columns 4 and 5.

On the axis ``LABELS`` a factor swaps the numbers i and j wherever they stand in the array: after
an exchange of two experts, argmax returns the other's number.
"""

import itertools
from collections.abc import Sequence

import numpy as np

from symmetry.finding.exchange.tolerance import Array

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
