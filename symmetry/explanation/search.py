"""From a split to the operation behind it: how each array of a run changes by an exchange of units.

    R: the run in which units begin equal, and split.
    S: two of them, a and b, are made different.
    U: S moved by one ulp, which tells how far rounding moves each array.
    T: S with a and b exchanged. Every array must come out as before, but for the exchange of two
       places: those are where the units are. As a control, a is exchanged with a usual unit, c.
    R again: an array that holds other bits at the two places is an inequality.

S is kept, the others are compared as they go.

Where nothing splits, no two units are equal in R: an array is an inequality if the exchange does
more to it than exchange what is at the two places.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any

import numpy as np

from symmetry.base.errors import TargetError
from symmetry.explanation.exchange import Exchange, Inequality, Key
from symmetry.explanation.location import Location, largest
from symmetry.explanation.starts import nudged, with_different
from symmetry.explanation.watched import WatchedStart
from symmetry.observe.tape import Event, Mend, Tape
from symmetry.units.compare import Group
from symmetry.units.state import Array, State, identical
from symmetry.units.units import Units

Sink = Callable[[Event], None]
Compare = Callable[[Key, Event, Array, Array], None]  # an array of two runs


@dataclass(frozen=True)
class WatchedRun:
    """R: the run in which units begin equal, and split.

    Attributes
    ----------
    watched
        Where it begins.
    units
        The group whose units split.
    events
        Its operations, without their arrays.
    ends
        How many events there were after each step.
    groups
        Which of the units that began equal are equal at the end; empty if none began equal.
    earlier
        How many steps came before those that are watched.
    """

    watched: WatchedStart
    units: Units
    events: Sequence[Event]
    ends: Sequence[int]
    groups: Sequence[Group]
    earlier: int

    @property
    def jax(self) -> bool:
        """Whether some of its operations are JAX's."""
        return any(event.call.library == "jax" for event in self.events)

    def step_of(self, number: int) -> int:
        """Return in which step, from 1, an event lies."""
        return self.earlier + 1 + bisect_right(self.ends, number)


def watch(watched: WatchedStart, units: Units, steps: int, earlier: int = 0) -> WatchedRun:
    """Watch the run in which units begin equal, in another way if it does not work in the first."""
    events: list[Event] = []
    tape = Tape(events.append)
    try:
        after = [(tape.count, state) for state in watched.states(watched.state, steps, tape)]
    except TargetError:
        if (other := watched.otherwise()) is None:
            raise
        return watch(other, units, steps, earlier)
    groups = _groups(units, watched.state, after[-1][1], watched.coarse)
    ends = [count for count, _ in after]
    return WatchedRun(watched, units, events, ends, groups, earlier)


def chosen(groups: Sequence[Group]) -> tuple[int, int, list[int]]:
    """Return two usual units and an odd one of each other group.

    Usual ones are from the middle of the largest group, since the first unit may be special; where
    there is only one, it is returned twice.
    """
    largest = max(groups, key=len)
    others = sorted((g for g in groups if g is not largest), key=lambda g: (len(g), -g[0]))
    middle = largest[len(largest) // 2 - (len(largest) > 1) :]
    return middle[0], middle[:2][-1], [group[0] for group in others]


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
        The first operation that one of the runs has and another lacks; None if there is none.
    leaves
        Its number in the run with equal units.
    """

    def __init__(self, run: WatchedRun, a: int, b: int, c: int, seed: int) -> None:
        self.run, units = run, run.units
        noise: dict[Key, float] = {}
        self.exchange = Exchange(a, b, noise, equal=bool(run.groups))
        self.control = Exchange(a, c, noise)
        start, scale = run.watched.state, run.watched.scale
        self.different = with_different(start, units, [a, b], scale, seed)
        self.swapped = units.swapped(self.different, a, b)
        self.nudged = nudged(self.different, seed)
        self.seen: list[Event] = []
        self.own: dict[int, int] = {}
        self.other_way: Event | None = None
        self.leaves = len(run.events)
        self._noise, self._matched = noise, dict[int, int]()
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
                self._noise[key] = self.run.watched.limit * largest(s - u)

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

    @cached_property
    def _inplace(self) -> set[int]:
        """The events that write into what was there."""
        return {number for number, seen in enumerate(self.seen) if seen.call.written}

    @cached_property
    def _evened_out(self) -> set[int]:
        """The events with one of the units alone, which later events make even.

        A sum that takes units one after the other holds a without b for some time, and in the end
        both: all that is made of it either is such an event again or depends on neither. What is
        written into a part of an array is none of these: it is not known what becomes of the rest.
        """
        located = {number for (number, _), _ in self._located()}
        both = {number for (number, _), location in self._located() if location.both}
        whole = {n for n, seen in enumerate(self.seen) if len(seen.signature[-1]) == seen.fresh}
        users: dict[int, list[int]] = {}
        for number, seen in enumerate(self.seen):
            for maker in seen.makers:
                if maker is not None:
                    users.setdefault(maker, []).append(number)
        found: set[int] = set()
        for number in sorted((located - both) & whole, reverse=True):
            later = users.get(number, ())
            if later and all(u in found or (u in whole and u not in located) for u in later):
                found.add(number)
        return found

    def moves(self, number: int) -> bool:
        """Return whether an event of the run with equal units depends on the two."""
        return self.exchange.locations.get((self._matched.get(number, -1), 0)) is not None

    def judge(self, mended: Sequence[Inequality] = ()) -> tuple[list[Inequality], bool]:
        """Run with equal units; return what tells them apart, in order, and whether they split.

        What the usual unit does as well belongs to it, not to the odd one: such inequalities are
        left out, unless it is an operation that the odd unit lacks. Those that are ``mended`` are
        made equal; behind a jump the exchange fits only where all operands hold both units.
        """
        found: list[Inequality] = []
        mends: dict[int, list[tuple[int, Mend]]] = {}
        for inequality in mended:
            change = inequality.key[1], inequality.location.make_equal
            turn = self.run.events[self.own[inequality.event]].turn
            mends.setdefault(turn, []).append(change)

        def sink(event: Event) -> None:
            number = self._matched.get(event.number)
            if number is not None:
                found.extend(self.exchange.judge(number, event))
                self.control.judge(number, event)

        last, _ = self._watch(self.run.watched.state, sink, mends=mends)
        lone = self.exchange.unmatched(self._inplace)
        found += [one for one in lone if one.event not in self._evened_out]
        after = self._after({one.event for one in mended if one.jumps})
        found = [
            one
            for one in self._of_the_odd(sorted(found, key=lambda one: one.event))
            if one.event not in after or (one.kind == "differs" and self._holds_both(one.event))
        ]
        both = {self.exchange.a, self.exchange.b}
        return found, not any(both <= {*group} for group in self.run.units.groups(last))

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
            if self.run.watched.can_end:
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
        return self.run.watched.last(start, len(self.run.ends), tape), tape.count

    def _align(self, stop: int) -> None:
        """Match the events of the run with equal units with those of the one with different ones.

        All that come after the event number ``stop`` of the latter have no match.
        """
        own = self.run.events
        mine, theirs = [e.signature for e in own], [e.signature for e in self.seen[:stop]]
        blocks: Sequence[Any] = [(0, 0, len(mine))]
        if mine != theirs:
            blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
        self._matched = {x + k: y + k for x, y, size in blocks for k in range(size)}
        self.own = {theirs: mine for mine, theirs in self._matched.items()}
        unmatched = [event for event in own if event.number not in self._matched]
        self.other_way = next(iter([*unmatched, *self.seen[stop : stop + 1]]), None)
        self.leaves = unmatched[0].number if unmatched else len(own)

    def _after(self, events: Collection[int]) -> set[int]:
        """Return the events that some events have gone into, directly or not."""
        found = set(events)
        for number, seen in enumerate(self.seen):
            if not found.isdisjoint(seen.makers):
                found.add(number)
        return found - set(events)

    def _holds_both(self, event: int) -> bool:
        """Return whether no operand of an event holds one of the units alone."""
        locations = map(self.exchange.made_by, self.seen[event].makers)
        return all(location is None or location.both for location in locations)

    def _of_the_odd(self, found: list[Inequality]) -> list[Inequality]:
        """Return those of some inequalities that belong to the odd unit, in the order of the run.

        What the usual unit c has as well belongs to a. What the odd unit lacks, and usual ones go
        through, is told if nothing of its own comes before.
        """
        found = self._without_followers(found)
        shared = {one.event for one in self.control.unmatched(self._inplace)}
        lacked = [o for o in found if o.kind == "alone" and o.event in self.usual - shared]
        own = [one for one in found if one not in lacked]
        own = [one for one in own if one.kind == "differs" or one.event not in shared] or own
        jump = next((one for one in own if one.jumps and self.matters(one)), None)
        if lacked and self._comes_first(lacked[0], jump):
            return sorted([*own, lacked[0]], key=lambda one: one.event)
        return own

    def _without_followers(self, found: list[Inequality]) -> list[Inequality]:
        """Leave out units that are alone behind an array that does not fit.

        There units are not where a fair run has them. If nothing else is left, all stay.
        """
        pairs = ((n, o, self.control.locations.get((n, q))) for (n, q), o in self._located())
        unfit = [n for n, odd, usual in pairs if not odd.fits and usual and usual.fits]
        behind = self._after(set(unfit))
        if unfit:  # later steps may be given copies
            end = next(end for end in self.run.ends if end > self.own.get(unfit[0], 0))
            behind |= {theirs for mine, theirs in self._matched.items() if mine >= end}
        return [one for one in found if one.kind == "differs" or one.event not in behind] or found

    def _comes_first(self, lacked: Inequality, jump: Inequality | None) -> bool:
        """Return whether an operation that the odd unit lacks comes before its first jump."""
        if jump is None:
            return True
        if lacked.event >= jump.event:
            return False
        return jump.kind != "alone" or jump.event in self._after({lacked.event})

    def _located(self) -> list[tuple[Key, Location]]:
        return [(key, location) for key, location in self.exchange.locations.items() if location]


def _groups(units: Units, start: State, state: State, coarse: float) -> tuple[Group, ...]:
    """Return how the first group of clones that split is split now; empty if none did.

    Units closer than ``coarse`` count as equal, unless all of them are. Samples are in no state.
    """
    if state.keys().isdisjoint(units.arrays):
        return ()
    exact = units.groups(state)
    for now in [_near_groups(units, state, coarse), exact] if coarse else [exact]:
        for clones in units.groups({name: start[name] for name in start if name in state}):
            pieces = tuple(piece for group in now if (piece := tuple(sorted({*group} & {*clones}))))
            if len(pieces) > 1:
                return pieces
    return ()


@np.errstate(all="ignore")
def scaled_rows(units: Units, state: State) -> Array:
    """Return all that the units hold, one row a unit, of the largest entry of each part."""
    rows = [units.rows(state, part) for part in units.parts if part.array in state]
    return np.hstack([row / (abs(row).max(initial=0) or 1) for row in rows])


def _near_groups(units: Units, state: State, coarse: float) -> list[Group]:
    """Return units that are equal but for a small multiple of the largest entry."""
    scaled = scaled_rows(units, state)
    groups: dict[int, list[int]] = {}  # by their first units
    for unit in range(units.count):
        near = (u for u in groups if abs(scaled[unit] - scaled[u]).max(initial=0) <= coarse)
        groups.setdefault(next(near, unit), []).append(unit)
    return [tuple(group) for group in groups.values()]
