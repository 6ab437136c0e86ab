"""A group split into one group for each slice of another axis."""

import itertools
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace

from symmetry.finding.grouping.proof import Proof
from symmetry.units.units import Units

_CHOICES = 8  # of one axis in each array that are tried


def split(units: Units, proof: Proof) -> list[Units]:
    """Return the units in each slice of another axis, if each hold alone; otherwise the group.

    The hidden units of stacked experts hold alone in each expert: all their arrays have an axis of
    the experts.
    """
    if len(units.parts) == 1 or any(part.within for part in units.parts):
        return [units]
    for size, axes in itertools.islice(_common_axes(units, proof), _CHOICES):
        slices = [_within_slice(units, axes, place) for place in range(size)]
        if all(map(proof.holds, slices)):
            return slices
    return [units]


def _common_axes(units: Units, proof: Proof) -> Iterator[tuple[int, tuple[int, ...]]]:
    """Yield a size, and an axis of that size for each part, along which its units do not lie."""
    by_size: list[dict[int, list[int]]] = []
    for part in units.parts:
        axes = defaultdict[int, list[int]](list)
        for axis, size in enumerate(proof.start[part.array].shape):
            if size > 1 and axis != part.axis:
                axes[size].append(axis)
        by_size.append(axes)
    for size in set.intersection(*map(set, by_size)):
        for choice in itertools.product(*(axes[size] for axes in by_size)):
            yield size, choice


def _within_slice(units: Units, axes: Sequence[int], place: int) -> Units:
    """Return units that lie in one slice only of an axis of each part."""
    parts = (
        replace(part, within=((axis, place, place + 1),))
        for part, axis in zip(units.parts, axes, strict=True)
    )
    return replace(units, parts=tuple(parts))
