"""From a split to the operation behind it: how each array of a run changes by an exchange of units.

Example: a step with three hidden units, and a bug in the line of ``scaled``. Its input x and its
learning rate are 1, its label y is 0.

    hidden = x @ w1
    error = hidden @ w2 - y
    back = error @ w2.T
    scaled = back * [1, 1, 2]         the last unit learns twice as fast
    w1 = w1 - x.T @ scaled

All weights begin at 1. The units split: unit 2 is odd, units 0 and 1 are usual. Run three times:

    array     R: all equal    S: 0 and 2 differ    T: S, 0 and 2 exchanged    units 0 and 2
    w1        1 1 1           2 1 5                5 1 2                      at places 0 and 2
    w2        1 1 1           3 1 4                4 1 3                      at places 0 and 2
    hidden    1 1 1           2 1 5                5 1 2                      at places 0 and 2
    error     3               27                   27                         nowhere
    back      3 3 3           81 27 108            108 27 81                  at places 0 and 2
    scaled    3 3 6           81 27 216            108 27 162                 at places 0 and 2

    S and T   show where the two units are in an array: at the two places that move. In ``hidden``
              and ``back`` T is S with them exchanged. ``scaled`` moves at the same places.
    R         must then hold the same bits at these two places. It does in ``hidden`` (1 1) and in
              ``back`` (3 3), and does not in ``scaled`` (3 6): an inequality. It is the first, so
              its line is guilty.
    control   Exchange 0 and 1 instead. R holds the same bits for these everywhere (``scaled`` 3 3),
              so the inequality belongs to unit 2.
    rounding  One more run, S moved by one ulp, shows how far rounding moves each array. An
              inequality beyond that is a jump: rounding cannot explain it.

S is kept, the others are compared as they go. Where nothing splits, all units differ in R: an array
is an inequality if T is not S with the two places exchanged.
"""

from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from functools import cached_property
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np

from symmetry.base.errors import TargetError
from symmetry.explanation.search.inequality import Inequality, Key, UnitEntries, apart, roundings
from symmetry.explanation.search.location import Location, largest, locate, near, tolerance_of
from symmetry.explanation.search.runs import TapedRun
from symmetry.explanation.starts import nudged, with_different
from symmetry.observe.tape import Event, Mend, Tape
from symmetry.units.compare import identical as same_bits
from symmetry.units.state import Array, State, identical

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
            unequal = next((s for s in places if self.equal and not same_bits(*s.sides(r))), None)
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
            elif self.equal and not any(same_bits(piece.r, row) for row in rows):
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


Sink = Callable[[Event], None]
Compare = Callable[[Key, Event, Array, Array], None]  # an array of two runs


class ExchangedRuns:
    """How each array of a run changes when units are exchanged: a with b, and a with c.

    Units a and c are usual ones, b is odd. If there is no second usual unit, c is a, and nothing is
    left out because the usual unit does it as well.

    Attributes
    ----------
    run
        The run in which the units begin equal.
    exchange, control
        Where its arrays hold a and b, and where they hold a and c.
    different, swapped
        The starts in which a and b differ, and in which those two are exchanged.
    seen
        The events of the run in which they differ, without their arrays.
    own
        The numbers that these events have in the run with equal units.
    other_way
        The first operation that one of the runs has and another lacks; None without one.
    leaves
        Its number in the run with equal units.
    matched
        The numbers that the events of the run with equal units have in the one with different ones.
    """

    def __init__(self, run: TapedRun, a: int, b: int, c: int, seed: int) -> None:
        self.run, units = run, run.units
        rounding: dict[Key, float] = {}
        self.exchange = Exchange(a, b, rounding, equal=bool(run.groups))
        self.control = Exchange(a, c, rounding)
        start, scale = run.start.state, run.start.scale
        self.different = with_different(start, units, [a, b], scale, seed)
        self.swapped = units.swapped(self.different, a, b)
        self.nudged = nudged(self.different, seed)
        self.seen: list[Event] = []
        self.own: dict[int, int] = {}
        self.other_way: Event | None = None
        self.leaves = len(run.events)
        self._rounding, self.matched = rounding, dict[int, int]()
        self._last: State = {}
        self._matters: dict[Key, bool] = {}

    def compare(self) -> None:
        """Run with different units, and compare the runs with those nudged and exchanged."""
        kept: list[list[Array]] = []

        def keep(event: Event) -> None:
            kept.append([array.copy() for array in event.arrays])
            self.seen.append(event)

        def measure(key: Key, _: Event, s: Array, u: Array) -> None:
            if s.dtype.kind == "f":
                self._rounding[key] = self.run.start.limit * largest(s - u)

        self._last, _ = self._watch(self.different, keep)
        with_c = self.run.units.swapped(self.different, self.exchange.a, self.control.b)
        others: list[tuple[State, Compare]] = [
            (self.nudged, measure),
            (self.swapped, self.exchange.see),
            (with_c, self.control.see),
        ]
        self._align(min(self._compare(kept, start, use) for start, use in others))

    def _compare(self, kept: Sequence[Sequence[Array]], start: State, use: Compare) -> int:
        """Compare the arrays of a run with those kept; return the event where it leaves them."""
        end = len(kept)

        def sink(event: Event) -> None:
            nonlocal end
            number = event.number
            if number >= end or event.signature != self.seen[number].signature:
                end = min(end, number)
                return
            for q, (s, other) in enumerate(zip(kept[number], event.arrays, strict=True)):
                if s.size:
                    use((number, q), event, s, other)

        _, count = self._watch(start, sink)
        return min(end, count)

    @cached_property
    def usual(self) -> set[int]:
        """The events that the usual unit c goes through."""
        located = {key[0] for key, location in self.control.locations.items() if location}
        over = ((k, both, self.exchange.locations.get(k)) for k, both in self.control.over.items())
        along = ((k, both, odd) for k, both, odd in over if odd and odd.axis >= 0)
        return located | {key[0] for key, both, odd in along if odd.lies_in(both)}

    def moves(self, number: int) -> bool:
        """Return whether an event of the run with equal units depends on the two."""
        return self.exchange.locations.get((self.matched.get(number, -1), 0)) is not None

    def unequal(self, mended: Sequence[Inequality]) -> tuple[list[Inequality], State]:
        """Run with equal units; return the arrays that hold other bits for them, and the end.

        Those that are ``mended`` are made equal.
        """
        found: list[Inequality] = []
        mends: dict[int, list[tuple[int, Mend]]] = {}
        for inequality in mended:
            change = inequality.key[1], inequality.location.make_equal
            turn = self.run.events[self.own[inequality.event]].turn
            mends.setdefault(turn, []).append(change)

        def sink(event: Event) -> None:
            number = self.matched.get(event.number)
            if number is not None:
                found.extend(self.exchange.compare(number, event))
                self.control.compare(number, event)

        last, _ = self._watch(self.run.start.state, sink, mends=mends)
        return found, last

    def matters(self, inequality: Inequality) -> bool:
        """Return whether the state depends on an array that was found: it may never be used."""
        (_, q), event = inequality.key, self.seen[inequality.event]
        if inequality.key not in self._matters:
            self._matters[inequality.key] = True
            # No number stays, and an index stays within bounds.
            change = q if q < event.fresh else 0, lambda array: np.copyto(array, array == 0)
            with suppress(TargetError):
                mends, only = {event.turn: [change]}, {event.turn}
                last, _ = self._watch(self.different, lambda _: None, mends=mends, only=only)
                self._matters[inequality.key] = not identical(self._last, last)
        return self._matters[inequality.key]

    def captured(self, start: State, wanted: Event, look: Sink = lambda _: None) -> Event:
        """Run from a start; return an event with its operands, ``look`` at it while it is live.

        It is the same operation as the one ``wanted``, which comes from a run that takes the same
        way.
        """
        found: list[Event] = []

        def sink(event: Event) -> None:
            look(event)
            event.call.place = wanted.call.place  # of a backward only the whole run tells the line
            arrays = [array.copy() for array in event.arrays]
            found.append(replace(event, arrays=arrays, makers=wanted.makers, number=wanted.number))
            if self.run.start.can_end:
                raise TargetError("the rest of the run is of no use")

        try:
            self._watch(start, sink, only={wanted.turn})
        except TargetError:
            if not found:
                raise
        return found[0]

    def _watch(self, start: State, sink: Sink, **options: Any) -> tuple[State, int]:
        """Run from a start while a tape watches; return the last state and how many events."""
        tape = Tape(sink, **options)
        return self.run.start.last(start, len(self.run.ends), tape), tape.count

    def _align(self, stop: int) -> None:
        """Match the events of the run with equal units with those of the one with different ones.

        All that come after the event number ``stop`` of the latter have no match.
        """
        own = self.run.events
        mine, theirs = [e.signature for e in own], [e.signature for e in self.seen[:stop]]
        blocks: Sequence[Any] = [(0, 0, len(mine))]
        if mine != theirs:
            blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
        self.matched = {x + k: y + k for x, y, size in blocks for k in range(size)}
        self.own = {theirs: mine for mine, theirs in self.matched.items()}
        unmatched = [event for event in own if event.number not in self.matched]
        self.other_way = next(iter([*unmatched, *self.seen[stop : stop + 1]]), None)
        self.leaves = unmatched[0].number if unmatched else len(own)

    def after(self, events: Collection[int]) -> set[int]:
        """Return the events that depend on some events, directly or not."""
        found = set(events)
        for number, seen in enumerate(self.seen):
            if not found.isdisjoint(seen.makers):
                found.add(number)
        return found - set(events)

    def located(self) -> list[tuple[Key, Location]]:
        """Return where the arrays hold the units, for those that hold any."""
        return [(key, location) for key, location in self.exchange.locations.items() if location]
