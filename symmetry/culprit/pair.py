"""Two units on their ways through a run: where every array of it holds them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from symmetry.culprit.spot import Spot, largest, locate, near, same, tolerance_of
from symmetry.observe.tape import Event
from symmetry.units.compare import equal
from symmetry.units.state import Array

Key = tuple[int, int]  # the number of an event, the position of an array in it


@dataclass
class Piece:
    """What an array holds for one unit.

    Attributes
    ----------
    key, index, axis
        Where: an index of an axis, or the whole array if ``index`` is None.
    s, t, r
        What it is in the run in which the two units differ, in the one with the two exchanged, and
        in the one in which all units begin equal.
    tolerance
        How far rounding may move an entry.
    name
        Of the operation, if the array holds this unit alone.
    """

    key: Key
    index: int | None
    axis: int
    s: Array
    t: Array
    tolerance: float
    name: str | None
    r: Array | None = None

    def of(self, array: Array) -> Array:
        """Return what another array holds there."""
        return array.copy() if self.index is None else array.take(self.index, self.axis)


@dataclass(frozen=True)
class Finding:
    """An array that tells the two units apart, although they are equal.

    Attributes
    ----------
    kind
        *differs*: both are there, with other bits. *alone*: the other one has no such operation.
        *stray*: both are there with the same bits, and clone ``unit`` with others.
    key
        Where.
    spot
        Where the units are in it.
    deviation
        The largest difference of the two; 0 if there is nothing to compare.
    noise
        How far rounding alone may bring the two apart.
    """

    kind: Literal["differs", "alone", "stray"]
    key: Key
    spot: Spot
    deviation: float = 0.0
    noise: float = 0.0
    unit: int | None = None

    @property
    def event(self) -> int:
        """The number of the event, in the run with different units."""
        return self.key[0]

    @property
    def jumps(self) -> bool:
        """Whether the two are further apart than rounding brings them."""
        return self.kind == "alone" or self.deviation > self.noise


@dataclass
class Pair:
    """Two units, and where the arrays of a run hold them.

    Attributes
    ----------
    a, b
        The units.
    noise
        Of each array, how far rounding moves it.
    spots
        Of each array that was compared, where the two are; None if it does not depend on them.
    pieces
        Of each array with a spot that is no set of entries, what it holds for a unit.
    """

    a: int
    b: int
    noise: Mapping[Key, float]
    spots: dict[Key, Spot | None] = field(default_factory=dict)
    pieces: dict[Key, list[Piece]] = field(default_factory=dict)

    @property
    def distance(self) -> int:
        """How far one unit lies behind the other."""
        return abs(self.b - self.a)

    def see(self, key: Key, event: Event, s: Array, t: Array) -> None:
        """Compare an array of the two runs with different units."""
        noise = self.noise.get(key, 0.0)
        spot = locate(s, t, self.distance, noise)
        if spot is not None and spot.kind == "alone" and _is_rounding(event, s, t):
            spot = None
        over = key[1] >= event.fresh  # what a partial write wrote over
        if over and (spot is None or spot.kind != "alone" or self.spots.get((key[0], 0))):
            return
        self.spots[key] = spot
        if spot is None or spot.kind == "entries":
            return
        alone = spot.kind == "alone"
        empty = Piece(
            key, None, spot.axis, s, t, tolerance_of(s, t, noise), event.name if alone else None
        )
        self.pieces[key] = []
        for index in [spot.i] if alone else [spot.i, spot.j]:
            piece = replace(empty, index=index)
            self.pieces[key].append(replace(piece, s=piece.of(s), t=piece.of(t)))

    def lone(self) -> Iterator[tuple[Key, Spot]]:
        """Yield the arrays that hold one of the units alone."""
        for key, spot in self.spots.items():
            if spot is not None and spot.kind == "alone":
                yield key, spot

    def complete(self, captured: Mapping[int, tuple[Event, Event]]) -> None:
        """Where one unit moves in an array as long as an operand that holds both, both are there.

        One of them stays behind: the array does not fit.

        Parameters
        ----------
        captured
            Events with their operands: of the run with different units, and of the one with the
            two exchanged.
        """
        for key, spot in list(self.lone()):
            if key[0] not in captured:
                continue
            s, t = captured[key[0]]
            shape = s.arrays[key[1]].shape
            for one, other in zip(s.operands, t.operands, strict=True):
                if one.shape != shape and not _as_long(one, shape, spot.axis):
                    continue
                found = locate(one, other, self.distance)
                if found is None or found.kind != "axis":
                    continue
                if spot.axis < 0 or (spot.axis == found.axis and spot.i in (found.i, found.j)):
                    self.spots[key] = replace(found, fits=False)
                    break

    def judge(self, number: int, event: Event) -> Iterator[Finding]:
        """Compare the two units in an event of the run in which they are equal.

        Parameters
        ----------
        number
            Which event of the run with different units it is.
        """
        for q, r in enumerate(event.arrays):
            key = number, q
            spot = self.spots.get(key)
            for piece in self.pieces.get(key, ()):
                piece.r = piece.of(r)
            if spot is not None and spot.kind != "alone":
                one, other = spot.sides(r)
                if not same(one, other):
                    noise = max(self.noise.get(key, 0.0), 32 * _rounding(one, other))
                    yield Finding("differs", key, spot, _apart(one, other), noise)

    def lonely(self, inplace: set[int]) -> Iterator[Finding]:
        """Yield what one unit goes through alone: no piece is what it would be for the other one.

        Parameters
        ----------
        inplace
            The events that write into what was there.
        """
        pools: dict[tuple[int, ...], list[tuple[float, int, Piece]]] = {}
        for pieces in self.pieces.values():
            for piece in pieces:
                if piece.r is not None:
                    pool = pools.setdefault(piece.s.shape, [])
                    pool.append((_sum(piece.s), len(pool), piece))
        for pool in pools.values():
            pool.sort(key=lambda entry: entry[:2])
        for key, spot in self.lone():
            (piece,) = self.pieces[key]
            if piece.s.dtype.kind not in "fc" or piece.r is None:
                continue
            partners = list(_partners(pools[piece.s.shape], piece))
            twins = [other for other in partners if other.name == piece.name]
            if not twins and key[0] not in inplace:
                twins = partners
            rows = [other.r for other in twins if other.r is not None]
            if not rows:
                yield Finding("alone", key, spot)
            elif not any(same(piece.r, row) for row in rows):
                noise = max(self.noise.get(key, 0.0), 32 * _rounding(piece.r, rows[0]))
                yield Finding("differs", key, spot, _apart(piece.r, rows[0]), noise)


def stray(
    pair: Pair, control: Pair, clones: tuple[int, ...], number: int, event: Event
) -> Finding | None:
    """Return whether another clone differs where the two units of a pair do not.

    Both pairs tell how the units lie along the axis.
    """
    for q, r in enumerate(event.arrays):
        spot, other = pair.spots.get((number, q)), control.spots.get((number, q))
        if spot is None or other is None or r.dtype.kind not in "fc":
            continue
        if spot.kind != "axis" or other.kind != "axis" or spot.axis != other.axis:
            continue
        first = spot.i if pair.a < pair.b else spot.j
        if {first} != {spot.i, spot.j} & {other.i, other.j} or spot.j - spot.i != pair.distance:
            continue
        rows = np.moveaxis(r, spot.axis, 0)
        shift = spot.i - min(pair.a, pair.b)
        inside = [u for u in clones if 0 <= u + shift < len(rows)]
        unit = next((u for u in inside if not same(rows[spot.i], rows[u + shift])), None)
        if unit is not None:
            return Finding("stray", (number, q), spot, unit=unit)
    return None


def _is_rounding(event: Event, s: Array, t: Array) -> bool:
    """Return whether an array moves by no more than roundings of what it is made of."""
    operands = [handle.values for handle in event.call.operands]
    floats = [values for values in operands if values.dtype.kind == "f"]
    if s.dtype.kind != "f" or not floats:
        return False
    scale = max(map(largest, floats)) * float(np.finfo(s.dtype).eps)
    return bool(abs(s - t).max(initial=0) <= 32 * scale)


def _as_long(operand: Array, shape: tuple[int, ...], axis: int) -> bool:
    """Return whether an operand may hold both units where an array holds one."""
    return axis >= 0 and operand.ndim == len(shape) and operand.shape[axis] == shape[axis] > 1


def _partners(pool: list[tuple[float, int, Piece]], piece: Piece) -> Iterator[Piece]:
    """Yield the pieces that are for one unit what ``piece`` is for the other."""
    wanted, slack = _sum(piece.t), 2 * piece.tolerance * piece.s.size
    for total, _, other in pool[bisect_left(pool, (wanted - slack,)) :]:
        if total > wanted + slack:
            return
        fits = near(other.s, piece.t, piece.tolerance) and near(other.t, piece.s, piece.tolerance)
        if other is not piece and fits:
            yield other


def _sum(array: Array) -> float:
    return float(np.nansum(array, dtype=np.float64))


def _apart(one: Array, other: Array) -> float:
    """Return the largest difference; an infinite one if not both are finite."""
    if one.dtype.kind not in "fc":
        return float("inf")
    with np.errstate(all="ignore"):
        apart = np.abs(one.astype(np.complex128 if one.dtype.kind == "c" else np.float64) - other)
    apart = np.where(equal(one, other), 0, apart)
    return float(np.nan_to_num(apart, nan=np.inf).max(initial=0))


def _rounding(one: Array, other: Array) -> float:
    """Return one rounding of the largest entry."""
    if one.dtype.kind != "f":
        return 0.0
    finite = np.isfinite(one) & np.isfinite(other)
    largest = max(abs(one[finite]).max(initial=0), abs(other[finite]).max(initial=0))
    return float(largest) * float(np.finfo(one.dtype).eps)
