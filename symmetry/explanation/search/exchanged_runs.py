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

from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

import numpy as np

from symmetry.base.errors import TargetError
from symmetry.explanation.search.exchange import Exchange
from symmetry.explanation.search.inequality import Inequality, Key
from symmetry.explanation.search.location import Location, largest
from symmetry.explanation.search.runs import TapedRun
from symmetry.explanation.starts import nudged, with_different
from symmetry.observe.tape import Event, Mend, Tape
from symmetry.units.state import Array, State, identical

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
