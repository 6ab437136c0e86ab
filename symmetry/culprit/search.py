"""From a split to the operation behind it: what exchanging two units does to every array of a run.

    R: the run in which units begin equal, and split.
    S: two of them, a and b, are made different.
    U: S moved by one ulp, which tells how far rounding moves each array.
    T: S with a and b exchanged. Every array must come out as before, but for the exchange of two
       places: those are where the units are. As a control, a is exchanged with a usual unit, c.
    R again: an array that holds other bits at the two places is a finding.

S is kept, the others are compared as they go.

Where nothing splits, no two units are equal in R: an array is a finding in which the exchange does
not just exchange what is at the two places.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

import numpy as np

from symmetry.base.errors import TargetError
from symmetry.culprit.pair import Key, Measurement, Pair
from symmetry.culprit.plant import nudged, with_different
from symmetry.culprit.setting import Setting
from symmetry.culprit.spot import largest
from symmetry.observe.tape import Event, Mend, Tape
from symmetry.units.compare import Group
from symmetry.units.state import Array, State, identical
from symmetry.units.units import Units

Sink = Callable[[Event], None]


@dataclass(frozen=True)
class Watched:
    """R: the run in which units begin equal, and split."""

    setting: Setting
    units: Units
    events: Sequence[Event]  # without their arrays
    ends: Sequence[int]  # how many events there were after each step
    groups: Sequence[Group]  # which of the units that began equal are equal at the end, if any were
    earlier: int  # steps before those that are watched

    @property
    def jax(self) -> bool:
        """Whether some of its operations are JAX's."""
        return any(event.call.library == "jax" for event in self.events)

    def step_of(self, number: int) -> int:
        """Return in which step, from 1, an event lies."""
        return self.earlier + 1 + bisect_right(self.ends, number)


def watched(setting: Setting, units: Units, steps: int, earlier: int = 0) -> Watched:
    """Watch the run in which units begin equal."""
    events: list[Event] = []
    tape = Tape(lambda event: events.append(event.let_go()))
    after = [(tape.count, state) for state in setting.states(setting.start, steps, tape)]
    groups = _groups(units, setting.start, after[-1][1], setting.coarse)
    ends = [count for count, _ in after]
    return Watched(setting, units, events, ends, groups, earlier)


def chosen(groups: Sequence[Group]) -> tuple[int, int, list[int]]:
    """Return two usual units and an odd one of each other group.

    Usual ones are from the middle of the largest group, since the first unit may be special; where
    there is only one, it is returned twice.
    """
    largest = max(groups, key=len)
    others = sorted((g for g in groups if g is not largest), key=lambda g: (len(g), -g[0]))
    middle = largest[len(largest) // 2 - (len(largest) > 1) :]
    return middle[0], middle[:2][-1], [group[0] for group in others]


class Ways:
    """What every array of a run does with the units a, usual, b, odd, and c, usual.

    If there is no second usual unit c is a: then nothing speaks against what the odd one does.
    """

    def __init__(self, run: Watched, a: int, b: int, c: int, seed: int) -> None:
        self.run, setting, units = run, run.setting, run.units
        noise: dict[Key, float] = {}
        self.pair = Pair(a, b, noise, equal=bool(run.groups))
        self.control = Pair(a, c, noise)
        self.different = with_different(setting.start, units, [a, b], setting.scale, seed)
        self.swapped = units.swapped(self.different, a, b)
        self.seen: list[Event] = []
        self.usual: set[int] = set()  # events that the usual unit goes through
        self._matters: dict[Key, bool] = {}
        kept: list[list[Array]] = []

        def keep(event: Event) -> None:
            kept.append([array.copy() for array in event.arrays])
            self.seen.append(event.let_go())

        def compare(start: State, use: Callable[[Key, Event, Array, Array], None]) -> int:
            """Return where the run from another start leaves S."""
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

        def measure(key: Key, _: Event, s: Array, u: Array) -> None:
            if s.dtype.kind == "f":
                noise[key] = setting.limit * largest(s - u)

        self._last, _ = self._watch(self.different, keep)
        ends = [compare(nudged(self.different, seed), measure)]
        ends.append(compare(self.swapped, self.pair.see))
        ends.append(compare(units.swapped(self.different, a, c), self.control.see))
        self._inplace = {n for n, seen in enumerate(self.seen) if seen.call.written}
        self._align(min(ends))

    def moves(self, number: int) -> bool:
        """Return whether an event of the run with equal units depends on the two."""
        return self.pair.spots.get((self._matched.get(number, -1), 0)) is not None

    def judge(self, mended: Sequence[Measurement] = ()) -> tuple[list[Measurement], bool]:
        """Run with equal units; return what tells them apart, in order, and whether they split.

        What the usual unit does as well belongs to it, not to the odd one: such findings are left
        out, unless it is an operation that the odd unit lacks. ``mended`` findings are made equal;
        behind a jump the exchange of units fits only where all operands hold both of them.
        """
        found: list[Measurement] = []
        mends: dict[int, list[tuple[int, Mend]]] = {}
        for finding in mended:
            change = finding.key[1], finding.spot.make_equal
            mends.setdefault(self.own[finding.event], []).append(change)

        def sink(event: Event) -> None:
            number = self._matched.get(event.number)
            if number is not None:
                found.extend(self.pair.judge(number, event))
                self.control.judge(number, event)

        last, _ = self._watch(self.run.setting.start, sink, mends=mends)
        found += self.pair.lonely(self._inplace)
        after = self._after({finding.event for finding in mended if finding.jumps})
        found = [
            finding
            for finding in self._of_the_odd(sorted(found, key=lambda finding: finding.event))
            if finding.event not in after
            or (finding.kind == "differs" and self._holds_both(finding.event))
        ]
        both = {self.pair.a, self.pair.b}
        return found, not any(both <= {*group} for group in self.run.units.groups(last))

    def matters(self, finding: Measurement) -> bool:
        """Return whether the state depends on an array that was found: it may never be used."""
        (number, q), event = finding.key, self.seen[finding.event]
        if finding.key not in self._matters:
            self._matters[finding.key] = True
            # No number stays, and an index stays within bounds.
            change = q if q < event.fresh else 0, lambda array: np.copyto(array, array == 0)
            with suppress(TargetError):
                last, _ = self._watch(self.different, lambda _: None, mends={number: [change]})
                self._matters[finding.key] = not identical(self._last, last)
        return self._matters[finding.key]

    def captured(self, start: State, wanted: int, look: Sink = lambda _: None) -> Event:
        """Run from a start and return one of the events with its operands, ``look`` at it live."""
        found: list[Event] = []

        def sink(event: Event) -> None:
            if event.number == wanted:
                look(event)
                found.append(event.let_go([array.copy() for array in event.arrays]))

        self._watch(start, sink, capture=[wanted])
        return found[0]

    def _watch(self, start: State, sink: Sink, **options: Any) -> tuple[State, int]:
        """Run from a start while a tape watches; return the last state and how many events."""
        tape = Tape(sink, **options)
        return self.run.setting.last(start, len(self.run.ends), tape), tape.count

    def _align(self, stop: int) -> None:
        """Match the events of the run with equal units with those of the one with different ones.

        ``own`` holds the numbers in the run with equal units of those of the other one.
        ``other_way`` becomes the first operation that one of the runs has and another lacks, and
        ``leaves`` its number in the run with equal units.
        """
        own = self.run.events
        mine, theirs = [e.signature for e in own], [e.signature for e in self.seen[:stop]]
        blocks: Sequence[Any] = [(0, 0, len(mine))]
        if mine != theirs:
            blocks = SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks()
        self._matched = {x + k: y + k for x, y, size in blocks for k in range(size)}
        self.own: dict[int, int] = {theirs: mine for mine, theirs in self._matched.items()}
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
        spots = map(self.pair.made_by, self.seen[event].makers)
        return all(spot is None or spot.both for spot in spots)

    def _of_the_odd(self, found: list[Measurement]) -> list[Measurement]:
        alone = {finding.event for finding in self.control.lonely(self._inplace)}
        over = ((f, self.control.over.get(f.key)) for f in found if f.spot.axis >= 0)
        self.usual |= {key[0] for key, spot in self.control.spots.items() if spot is not None}
        self.usual |= {f.event for f, both in over if both is not None and f.spot.lies_in(both)}
        # Behind an array that does not fit, units are not where a fair run has them.
        unfit = [key for key, spot in self.pair.spots.items() if spot and not spot.fits]
        unfit = [key for key in unfit if (spot := self.control.spots.get(key)) and spot.fits]
        behind = self._after({number for number, _ in unfit})
        for number, _ in unfit[:1]:  # later steps may be given copies
            end = next(end for end in self.run.ends if end > self.own.get(number, 0))
            behind |= {theirs for mine, theirs in self._matched.items() if mine >= end}
        found = [f for f in found if f.kind == "differs" or f.event not in behind] or found
        lacks = [f for f in found if f.kind == "alone" and f.event in self.usual - alone]
        own = [f for f in found if f not in lacks]
        own = [f for f in own if f.kind == "differs" or f.event not in alone] or own
        jump = next((f for f in own if f.jumps and self.matters(f)), None)
        before = {f.event for f in lacks[:1] if jump is None or f.event < jump.event}
        if before and (jump is None or jump.kind != "alone" or jump.event in self._after(before)):
            return sorted([*own, lacks[0]], key=lambda finding: finding.event)
        return own


def _groups(units: Units, start: State, state: State, coarse: float) -> tuple[Group, ...]:
    """Return how the first group of clones that split is split now; empty if none did.

    Units closer than ``coarse`` count as equal, unless all of them are.
    """
    exact = units.groups(state)
    for now in [_near_groups(units, state, coarse), exact] if coarse else [exact]:
        for clones in units.groups(start):
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
