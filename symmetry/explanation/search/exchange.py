"""The exchange of two units: where each array of a run holds them, and where they are unequal."""

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from operator import itemgetter

import numpy as np

from symmetry.explanation.search.inequality import Inequality, Key, UnitEntries, apart, roundings
from symmetry.explanation.search.location import Location, locate, near, tolerance_of
from symmetry.observe.tape import Event
from symmetry.units.compare import identical
from symmetry.units.state import Array

_CLEAR = 100  # times the rounding that was seen: more is a difference


@dataclass
class Exchange:
    """The exchange of two units, a and b, and where the arrays of a run hold them."""

    # The numbers of the units.
    a: int
    b: int
    rounding: Mapping[Key, float]  # how far rounding moves each array
    # Whether the two are equal in the run in which all units begin equal, if any do.
    equal: bool = True
    # Where each array holds them; None if it depends on neither.
    locations: dict[Key, Location | None] = field(default_factory=dict)
    # The entries of each of the two, if they lie along an axis.
    pieces: dict[Key, list[UnitEntries]] = field(default_factory=dict)
    over: dict[Key, Location] = field(default_factory=dict)  # where a partial write wrote over both
    # Where else both are in an array that does not fit: each operand may have them elsewhere.
    meeting: dict[Key, list[Location]] = field(default_factory=dict)

    def see(self, key: Key, event: Event, s: Array, t: Array) -> None:
        """Compare an array of the two runs with different units."""
        rounding = self.rounding.get(key, 0.0)
        location = locate(s, t, abs(self.b - self.a), rounding)
        if location is not None and not location.both:
            both, *self.meeting[key] = self._with_the_other(location, event) or [location]
            location = None if _is_rounding(event, s, t, rounding) else both
        if key[1] >= event.fresh:  # what a partial write wrote over
            if location is not None and location.both:
                self.over[key] = location
            written = self.locations.get((key[0], 0))
            if location is not None and written is not None and written.lies_in(location):
                self.locations[key[0], 0] = replace(location, fits=False)
            if location is None or location.both or written is not None:
                return
        self.locations[key] = location
        if location is None or location.kind == "entries":
            return
        name = None if location.both else event.call.name
        whole = UnitEntries(None, location.axis, s, t, tolerance_of(s, t, rounding), name)
        indices = [location.i, location.j][: 1 + location.both]
        pieces = [replace(whole, index=index) for index in indices]
        self.pieces[key] = [replace(piece, s=piece.of(s), t=piece.of(t)) for piece in pieces]

    def made_by(self, maker: int | None) -> Location | None:
        """Return where the first array of an event holds them; None for what no event has made."""
        return None if maker is None else self.locations.get((maker, 0))

    def _with_the_other(self, location: Location, event: Event) -> list[Location]:
        """Return where both are, if one moves in an array as long as an operand that holds both.

        One of them stays behind: the array does not fit.
        """
        found = []
        for handle, maker in zip(event.call.operands, event.makers, strict=True):
            held = self.made_by(maker)
            whole = handle.values.size == handle.size
            if held is None or not whole or held.shape != handle.values.shape:
                continue
            if location.lies_in(held) or (held.both and held.shape == location.shape):
                found.append(replace(held, fits=False, shape=location.shape))
        found.sort(key=location.lies_in, reverse=True)
        return found if any(map(location.lies_in, found)) else []

    def compare(self, number: int, event: Event) -> list[Inequality]:
        """Compare the two units in an event of the run in which they are ``equal``, if they are.

        It is the event of this number of the run with different units.
        """
        found = []
        for q, r in enumerate(event.arrays):
            location = self.locations.get(key := (number, q))
            for piece in self.pieces.get(key, ()):
                piece.r = piece.of(r)
            if location is None or not location.both:
                continue
            places = [location, *self.meeting.get(key, ())]
            unequal = next((s for s in places if self.equal and not identical(*s.sides(r))), None)
            if unequal is not None:
                found.append(self._differs(key, unequal, *unequal.sides(r)))
            elif not self.equal and not location.fits:
                found.append(Inequality("differs", key, location, float("inf")))
        return found

    def unmatched(self, inplace: set[int]) -> Iterator[Inequality]:
        """Yield what one unit goes through alone: no piece is what it would be for the other one.

        ``inplace`` are the events that write into what was there.
        """
        pools: dict[tuple[int, ...], list[tuple[float, UnitEntries]]] = {}
        for piece in chain.from_iterable(self.pieces.values()):
            if piece.r is not None:
                pools.setdefault(piece.s.shape, []).append((_sum(piece.s), piece))
        for pool in pools.values():
            pool.sort(key=itemgetter(0))
        for key, location in self.locations.items():
            if location is None or location.both:
                continue
            (piece,) = self.pieces[key]
            if piece.s.dtype.kind not in "fc" or piece.r is None:
                continue
            partners = list(_partners(pools[piece.s.shape], piece))
            twins = [other for other in partners if other.name == piece.name]
            if not twins and key[0] not in inplace:
                twins = partners
            rows = [other.r for other in twins if other.r is not None]
            if not rows:
                yield Inequality("alone", key, location)
            elif self.equal and not any(identical(piece.r, row) for row in rows):
                yield self._differs(key, location, piece.r, rows[0])

    def _differs(self, key: Key, location: Location, one: Array, other: Array) -> Inequality:
        rounding = max(self.rounding.get(key, 0.0), roundings(one.dtype, one, other))
        return Inequality("differs", key, location, apart(one, other), rounding)


def _is_rounding(event: Event, s: Array, t: Array, rounding: float) -> bool:
    """Return whether an array moves by no more than roundings of what it is made of.

    A product of large and small numbers moves by less; so it is no rounding either if it is far
    above what rounding was seen to do, ``rounding``.
    """
    if s.dtype.kind != "f":
        return False
    floats = [h.values for h in event.call.operands if h.values.dtype.kind == "f"]
    moved = abs(s - t).max(initial=0)
    return bool(moved <= roundings(s.dtype, *floats)) and not 0 < _CLEAR * rounding < moved


def _partners(pool: list[tuple[float, UnitEntries]], piece: UnitEntries) -> Iterator[UnitEntries]:
    """Yield the pieces that are for one unit what ``piece`` is for the other."""
    wanted, slack = _sum(piece.t), 2 * piece.tolerance * piece.s.size
    for total, other in pool[bisect_left(pool, wanted - slack, key=itemgetter(0)) :]:
        if total > wanted + slack:
            return
        fits = near(other.s, piece.t, piece.tolerance) and near(other.t, piece.s, piece.tolerance)
        if other is not piece and fits:
            yield other


def _sum(array: Array) -> float:
    return float(np.nansum(array, dtype=np.float64))
