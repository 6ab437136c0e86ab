"""Exchanges of two units slice by slice, to see which exchange includes which."""

from collections import defaultdict

from symmetry.units.units import Units

_Ranges = frozenset[tuple[int, int, int]]  # of other axes, as in Part.within
_Slices = dict[tuple[int, int], list[_Ranges]]  # by the two that are swapped


class SwappedSlices:
    """All slices that an exchange of two units swaps."""

    def __init__(self, units: Units, u: int = 0, v: int = 1) -> None:
        self._along = defaultdict[tuple[str, int], _Slices](lambda: defaultdict(list))
        for part in units.parts:
            slices, ranges = self._along[part.array, part.axis], frozenset(part.within)
            for i, j in part.places(units.count)[[u, v]].T.tolist():
                slices[i, j].append(ranges)

    def include(self, other: "SwappedSlices") -> bool:
        """Return whether these are among them all that another exchange swaps."""
        return all(
            any(own <= ranges for own in self._along.get(axis, {}).get(swap, ()))
            for axis, slices in other._along.items()
            for swap, several in slices.items()
            for ranges in several
        )

    def include_units(self, units: Units) -> bool:
        """Return whether an exchange of two units of a group is included."""
        part = units.parts[0]
        slices = self._along.get((part.array, part.axis))
        if slices is None:
            return False
        firsts = part.places(units.count)[:, 0].tolist()
        unit_at = {first: unit for unit, first in enumerate(firsts)}
        return any(
            i in unit_at
            and j in unit_at
            and self.include(SwappedSlices(units, unit_at[i], unit_at[j]))
            for i, j in slices
        )
