"""From a split to the operation behind it: what exchanging two units does to every array of a run.

    R: the run in which units begin equal, and split.
    S: two of them, a and b, are made different.
    U: S moved by one ulp, which tells how far rounding moves each array.
    T: S with a and b exchanged. Every array must come out as before, but for the exchange of two
       places: those are where the units are. As a control, a is exchanged with a usual unit, c.
    R again: an array that holds other bits at the two places is a finding.

S is kept, the others are compared as they go.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import pairwise
from typing import Any

import numpy as np

from symmetry.culprit.pair import Finding, Key, Pair, stray
from symmetry.culprit.plant import nudged, with_different
from symmetry.culprit.subject import Subject
from symmetry.observe.place import Place
from symmetry.observe.tape import Event, Mend, Tape
from symmetry.units.compare import Group, identical
from symmetry.units.state import Array, State
from symmetry.units.units import Units

_PAIRS = 3
_CAPTURED = 2**26  # bytes of operands that are copied to look for the second unit

Mends = Mapping[
    int, Sequence[tuple[int, Mend]]
]  # by the number of an event of the run with different units


@dataclass(frozen=True)
class Seen:
    """An event as it is remembered."""

    name: str
    library: str
    place: Place
    signature: tuple[Any, ...]
    inplace: bool
    makers: list[int | None]
    random: bool
    size: int  # bytes of its operands


class Ways:
    """What every array of a run does with units a, b and c."""

    def __init__(
        self, subject: Subject, units: Units, steps: int, a: int, b: int, c: int | None, seed: int
    ) -> None:
        self.subject, self.units, self._steps = subject, units, steps
        noise: dict[Key, float] = {}
        self.pair = Pair(a, b, noise)
        self.control = None if c is None else Pair(a, c, noise)
        self.different = with_different(subject.start, units, [a, b], subject.scale, seed)
        self.swapped = units.swapped(self.different, a, b)
        self.seen: list[Seen] = []
        kept: list[list[Array]] = []
        self.ends: list[int] = []  # where another run leaves S

        def measure(key: Key, _: Event, s: Array, u: Array) -> None:
            if s.dtype.kind == "f":
                moved = abs(s - u)
                noise[key] = subject.limit * float(moved[np.isfinite(moved)].max(initial=0))

        def keep(event: Event) -> None:
            self.seen.append(_seen(event))
            kept.append([array.copy() for array in event.arrays])

        self.watch(self.different, keep)
        self._against(kept, nudged(self.different, seed), measure)
        self._against(kept, self.swapped, self.pair.see)
        if self.control is not None and c is not None:
            self._against(kept, units.swapped(self.different, a, c), self.control.see)
        self.inplace = {n for n, seen in enumerate(self.seen) if seen.inplace}
        self.matched: dict[int, int] = {}
        self.other_way: Seen | None = None

    def watch(self, start: State, sink: Callable[[Event], None], **options: Any) -> State:
        """Run from a start while a tape watches; return the last state."""
        tape = Tape(sink, **options)
        return deque(self.subject.watch(start, self._steps, tape), maxlen=1)[0]

    def align(self, own: Sequence[Seen]) -> None:
        """Match the events of the run with equal units with those of the one with different ones.

        ``other_way`` becomes the first operation that one of the runs has and another lacks.
        """
        stop = min(self.ends, default=len(self.seen))
        mine, theirs = [s.signature for s in own], [s.signature for s in self.seen[:stop]]
        blocks: Sequence[Any] = [(0, 0, len(mine))]
        if mine != theirs:
            blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
        self.matched = {x + k: y + k for x, y, size in blocks for k in range(size)}
        unmatched = next((n for n in range(len(own)) if n not in self.matched), None)
        if unmatched is not None:
            self.other_way = own[unmatched]
        elif stop < len(self.seen):
            self.other_way = self.seen[stop]

    def complete(self) -> None:
        """Look at the operands of what seems to hold one unit alone."""
        left, wanted = _CAPTURED, set()
        for (event, _), _spot in self.pair.lone():
            left -= self.seen[event].size
            if left > 0:
                wanted.add(event)
        if not wanted:
            return
        s, t = self.captured(self.different, wanted), self.captured(self.swapped, wanted)
        self.pair.complete({n: (s[n], t[n]) for n in wanted if n in s and n in t})

    def captured(
        self,
        start: State,
        wanted: Collection[int],
        look: Callable[[Event], None] = lambda _: None,
    ) -> dict[int, Event]:
        """Run from a start and return some of the events, with their operands.

        ``look`` is called with each of them as it happens.
        """
        found: dict[int, Event] = {}

        def sink(event: Event) -> None:
            if event.number in wanted:
                look(event)
                event.arrays = [array.copy() for array in event.arrays]
                event.call = replace(event.call, operands=())  # lets go of their memory
                found[event.number] = event

        self.watch(start, sink, capture=wanted)
        return found

    def judge(self, clones: Group, mends: Mends | None = None) -> tuple[list[Finding], State]:
        """Run with equal units; return what tells them apart, in order, and the last state.

        What the usual unit does as well belongs to it, not to the odd one: such findings are left
        out, unless it is an operation that the odd unit lacks.
        """
        found: list[Finding] = []
        strays: list[Finding] = []
        own = {theirs: mine for mine, theirs in self.matched.items()}

        def sink(event: Event) -> None:
            number = self.matched.get(event.number)
            if number is None:
                return
            found.extend(self.pair.judge(number, event))
            if self.control is not None:
                deque(self.control.judge(number, event), maxlen=0)
                if not strays and not found:
                    strays.extend(
                        filter(None, [stray(self.pair, self.control, clones, number, event)])
                    )

        wanted = {own[n]: mend for n, mend in (mends or {}).items()}
        last = self.watch(self.subject.start, sink, mends=wanted)
        found += self.pair.lonely(self.inplace)
        if self.control is not None:
            found = self._of_the_odd(found)
        return sorted([*found, *strays], key=lambda finding: finding.event), last

    def own(self, number: int) -> int:
        """Return the number that an event has in the run with equal units."""
        return next(mine for mine, theirs in self.matched.items() if theirs == number)

    def after(self, events: Collection[int]) -> set[int]:
        """Return the events that some events have gone into, directly or not."""
        found: set[int] = set(events)
        for number, seen in enumerate(self.seen):
            if found.intersection(maker for maker in seen.makers if maker is not None):
                found.add(number)
        return found - set(events)

    def holds_both(self, event: int) -> bool:
        """Return whether no operand of an event holds one of the units alone."""
        spots = [self.pair.spots.get((maker or 0, 0)) for maker in self.seen[event].makers]
        return all(spot is None or spot.kind != "alone" for spot in spots)

    def apart(self, state: State) -> bool:
        """Return whether the two units differ in a state."""
        rows = [self.units.rows(state, p) for p in self.units.parts if p.array in state]
        return not all(identical(row[self.pair.a], row[self.pair.b]) for row in rows)

    def _of_the_odd(self, found: list[Finding]) -> list[Finding]:
        assert self.control is not None  # asked by the caller
        usual = {key[0] for key, spot in self.control.spots.items() if spot is not None}
        usual -= {finding.event for finding in self.control.lonely(self.inplace)}
        found = sorted(found, key=lambda finding: finding.event)
        lacks = [f for f in found if f.kind == "alone" and f.event in usual]
        own = [f for f in found if f not in lacks]
        jump = next((f for f in own if f.jumps), None)
        if lacks and (jump is None or (jump.kind != "alone" and lacks[0].event < jump.event)):
            return [*own, lacks[0]]
        return own

    def _against(
        self,
        kept: Sequence[list[Array]],
        start: State,
        use: Callable[[Key, Event, Array, Array], None],
    ) -> None:
        """Run from another start and compare each array, up to where the run takes another way."""
        end: int | None = None

        def sink(event: Event) -> None:
            nonlocal end
            number = event.number
            if end is not None:
                return
            if number >= len(kept) or event.signature != self.seen[number].signature:
                end = number
                return
            for q, (s, other) in enumerate(zip(kept[number], event.arrays, strict=True)):
                if s.size:
                    use((number, q), event, s, other)

        tape = Tape(sink)
        deque(self.subject.watch(start, self._steps, tape), maxlen=0)
        if end is not None or tape.count < len(kept):
            self.ends.append(tape.count if end is None else end)


def remember(subject: Subject, steps: int) -> tuple[list[Seen], list[int], list[State]]:
    """Watch the run; return its events, how many there were after each step, and the states."""
    seen: list[Seen] = []
    tape = Tape(lambda event: seen.append(_seen(event)))
    ends, states = [], []
    for state in subject.watch(subject.start, steps, tape):
        ends.append(tape.count)
        states.append(state)
    return seen, ends, states


def chosen(groups: Sequence[Group]) -> tuple[int, int | None, int]:
    """Return two usual units, the second may be None, and an odd one.

    Usual ones are from the middle of the largest group: the first unit may be special.
    """
    largest = max(groups, key=len)
    odd = min((g for g in groups if g is not largest), key=lambda g: (len(g), -g[0]))[0]
    middle = largest[len(largest) // 2 - (len(largest) > 1) :]
    return middle[0], (middle[1] if len(middle) > 1 else None), odd


def follow(
    subject: Subject,
    units: Units,
    steps: int,
    own: Sequence[Seen],
    groups: Sequence[Group],
    seed: int,
) -> tuple[Ways, list[Finding]]:
    """Return the ways of two units, and what tells them apart; stray clones ask for other pairs."""
    a, c, b = chosen(groups)
    clones = tuple(sorted(unit for group in groups for unit in group))
    best: tuple[Ways, list[Finding]] | None = None
    odd = [b]
    for b in odd:
        ways = Ways(subject, units, steps, a, b, c, seed)
        ways.align(own)
        ways.complete()
        everything, _ = ways.judge(clones)
        astray = next((f for f in everything if f.kind == "stray"), None)
        found = [f for f in everything if f.kind != "stray"]
        if best is None or (found and (not best[1] or found[0].event < best[1][0].event)):
            best = ways, found
        if astray is None or astray.unit is None or astray.unit in (*odd, a, c):
            continue
        if len(odd) < _PAIRS and (not found or astray.event < found[0].event):
            odd.append(astray.unit)
    assert best is not None  # there is one odd unit at least
    return best


def mend(finding: Finding) -> tuple[int, Mend] | None:
    """Return what makes the odd unit equal to the usual one; None if it cannot be done."""
    spot = finding.spot
    if spot.kind == "alone":
        return None

    def change(array: Array) -> None:
        if spot.kind == "axis":
            rows = np.moveaxis(array, spot.axis, 0)
            rows[spot.j] = rows[spot.i]
            return
        lower = np.minimum(spot.i, spot.j)
        array[...] = array.ravel()[_representatives(array.size, spot.i, lower)].reshape(array.shape)

    return finding.key[1], change


def _representatives(size: int, entries: Array, lower: Array) -> Array:
    places = np.arange(size)
    places[entries] = lower
    return places


def step_of(number: int, ends: Sequence[int]) -> int:
    """Return in which step, from 1, an event lies."""
    return 1 + sum(number >= end for _, end in pairwise([0, *ends]))


def _seen(event: Event) -> Seen:
    return Seen(
        event.name,
        event.call.library,
        event.place,
        event.signature,
        bool(event.call.written),
        event.makers,
        event.call.random,
        sum(handle.values.nbytes for handle in event.call.operands),
    )
