"""Exchanges of two units slice by slice, to see which exchange includes which."""

from collections.abc import Sequence

from symmetry.units.units import Units

# An array, an axis, the two slices that are swapped, and ranges of other axes as in Part.within.
SwappedSlices = tuple[str, int, int, int, tuple[tuple[int, int, int], ...]]


def swapped_slices(units: Units, u: int, v: int) -> list[SwappedSlices]:
    """Return all slices that an exchange of two units swaps."""
    return [
        (part.array, part.axis, int(i), int(j), part.within)
        for part in units.parts
        for i, j in part.places(units.count)[[u, v]].T
    ]


def is_included(inner: Sequence[SwappedSlices], outer: Sequence[SwappedSlices]) -> bool:
    """Return whether one exchange swaps all slices that another swaps."""
    return all(
        any(swap[:4] == other[:4] and {*other[4]} <= {*swap[4]} for other in outer)
        for swap in inner
    )


def includes_units(exchange: Sequence[SwappedSlices], units: Units) -> bool:
    """Return whether an exchange includes the exchange of two units of a group."""
    part = units.parts[0]
    unit_at = {first: unit for unit, first in enumerate(part.places(units.count)[:, 0].tolist())}
    return any(
        (array, axis) == (part.array, part.axis)
        and i in unit_at
        and j in unit_at
        and is_included(swapped_slices(units, unit_at[i], unit_at[j]), exchange)
        for array, axis, i, j, _ in exchange
    )
