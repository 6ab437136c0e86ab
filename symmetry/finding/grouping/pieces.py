"""Exchanges of two units slice by slice, to see which exchange includes which."""

from collections import defaultdict
from collections.abc import Sequence

from symmetry.units.units import Units

# An array, an axis, the two slices that are swapped, and ranges of other axes as in Part.within.
SwappedSlices = tuple[str, int, int, int, tuple[tuple[int, int, int], ...]]
_Ranges = dict[tuple[str, int, int, int], list[set[tuple[int, int, int]]]]


def swapped_slices(units: Units, u: int, v: int) -> list[SwappedSlices]:
    """Return all slices that an exchange of two units swaps."""
    return [
        (part.array, part.axis, int(i), int(j), part.within)
        for part in units.parts
        for i, j in part.places(units.count)[[u, v]].T
    ]


def is_included(inner: Sequence[SwappedSlices], outer: Sequence[SwappedSlices]) -> bool:
    """Return whether one exchange swaps all slices that another swaps."""
    return _are_among(inner, _ranges_by_slices(outer))


def includes_units(exchange: Sequence[SwappedSlices], units: Units) -> bool:
    """Return whether an exchange includes the exchange of two units of a group."""
    part, among = units.parts[0], _ranges_by_slices(exchange)
    unit_at = {first: unit for unit, first in enumerate(part.places(units.count)[:, 0].tolist())}
    return any(
        (array, axis) == (part.array, part.axis)
        and i in unit_at
        and j in unit_at
        and _are_among(swapped_slices(units, unit_at[i], unit_at[j]), among)
        for array, axis, i, j, _ in exchange
    )


def _ranges_by_slices(exchange: Sequence[SwappedSlices]) -> _Ranges:
    """Return for each two slices that an exchange swaps the ranges to which that is limited."""
    ranges: _Ranges = defaultdict(list)
    for array, axis, i, j, within in exchange:
        ranges[array, axis, i, j].append({*within})
    return ranges


def _are_among(swaps: Sequence[SwappedSlices], among: _Ranges) -> bool:
    return all(any(own <= {*swap[4]} for own in among.get(swap[:4], ())) for swap in swaps)
