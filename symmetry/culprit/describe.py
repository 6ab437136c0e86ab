"""What is known of an operation that tells units apart: its arrays, its cause, its evidence."""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain, pairwise, repeat

import numpy as np

from symmetry.culprit.explanation import Culprit, Difference, Operand
from symmetry.culprit.pair import Measurement, apart
from symmetry.culprit.script import write
from symmetry.culprit.search import Ways
from symmetry.culprit.spot import Spot, locate, same
from symmetry.observe.tape import Event
from symmetry.units import compare
from symmetry.units.state import Array
from symmetry.units.words import groups_in_words, places_in_words

_ROUNDING = 1e-4  # of a difference is left in float64 where it is of rounding; else all is left
_MASKS = ("bernoulli", "dropout")
_SHAPES = ("_like", "new_")  # in names of operations that take nothing but the shape of an operand


def at(event: Event) -> str:
    """Name an operation and where it is."""
    return f"{event.call.name} ({event.call.place})" if str(event.call.place) else event.call.name


class Scene:
    """The operation of a finding: watched once more, with its operands, and done again alone."""

    def __init__(self, ways: Ways, finding: Measurement) -> None:
        self._ways, self.finding, self._spot = ways, finding, finding.spot
        setting, (number, q) = ways.run.setting, finding.key
        s = ways.captured(ways.different, number)
        t = ways.captured(ways.swapped, number)
        position = q if q < s.fresh else 0  # else it is what was written over

        def note(event: Event) -> None:
            self._named = setting.named(event.arrays[position], event.memories[position])

        self._event = ways.captured(setting.start, ways.own[number], note)
        self._operands = [
            *map(locate, s.operands, t.operands, repeat(abs(ways.pair.b - ways.pair.a)))
        ]
        operands, makers = self._event.operands, self._event.makers
        self._taken = [*zip(operands, self._operands, makers, strict=True)]
        self._position, self._result = position, self._event.arrays[position]
        self._length = self._result.shape[self._spot.axis] if self._spot.kind == "axis" else 0
        self._places = self._places_along_axis()

    @np.errstate(all="ignore")
    def culprit(self, size: str = "") -> Culprit:
        """Describe the operation; ``size`` is said of its difference if it is no jump."""
        event, run = self._event, self._ways.run
        cause, origin = self._cause()
        seen = event if origin is None else origin
        place, phase = seen.call.place, seen.call.place.phase
        parameter, rows = self._named if origin is None else ("", "")
        if phase == "other" and parameter and not parameter.startswith("the gradient"):
            phase = "optimizer"  # the user's own one
        entries = self._entries()
        return Culprit(
            operation=seen.call.name,
            file=str(place).rpartition(":")[0],
            line=place.line,
            source=place.source,
            phase=phase,
            module=place.module,
            parameter=parameter,
            rows=rows or (parameter and self._rows()),
            step=run.step_of(event.number),
            cause=cause,
            operands=tuple(map(_operand, event.operands, event.call.dtypes, self._operands)),
            result=_operand(self._result, self._result.dtype.name, self._spot),
            difference=self._difference(entries, size or self._jump()),
            remarks=tuple(self._remarks(origin)),
            evidence=tuple(self._repeated()),
            script=write(event, self._position, entries, f"{event.call.name}: {cause}"),
        )

    @cached_property
    @np.errstate(all="ignore")
    def rounds(self) -> bool:
        """Whether it treats the units alike but for rounding: in float64 they are nearer."""
        if not self._spot.both or self._result.dtype.kind != "f":
            return False
        try:
            precise = self._again(precisely=True)
        except Exception:  # whatever a library raises, that does not have it in float64
            return False
        if precise is None or precise.dtype != np.float64 or precise.shape != self._result.shape:
            return False
        near, far = apart(*self._spot.sides(precise)), apart(*self._spot.sides(self._result))
        return bool(np.isfinite(far) and near <= _ROUNDING * far)

    def _places_along_axis(self) -> dict[int, int]:
        """Return the index of each clone along the axis of the units, the usual one first.

        Empty if they do not lie along one, evenly.
        """
        spot, pair, control = self._spot, self._ways.pair, self._ways.control
        if spot.kind != "axis":
            return {}
        here, there = (spot.i, spot.j) if pair.a < pair.b else (spot.j, spot.i)
        other = control.spots.get(self.finding.key)
        if other and other.kind == "axis" and here not in (other.i, other.j):
            here, there = there, here
        stride, odd = divmod(there - here, pair.b - pair.a)
        if odd:
            return {pair.a: here, pair.b: there}
        clones = sorted(chain.from_iterable(self._ways.run.groups))
        places = {u: here + (u - pair.a) * stride for u in (pair.a, *clones)}
        return {u: place for u, place in places.items() if 0 <= place < self._length}

    def _entries(self) -> dict[int, Array]:
        """Return the entries of the flat result that belong to each unit, the usual one first."""
        spot, pair = self._spot, self._ways.pair
        if spot.kind == "entries":
            return {pair.a: spot.i, pair.b: spot.j}
        numbers = np.arange(self._result.size).reshape(self._result.shape)
        return {u: numbers.take(p, spot.axis).ravel() for u, p in self._places.items()}

    def _rows(self) -> str:
        """Name the rows or columns of the result that are not as those of the usual unit."""
        if len(self._places) < 2:
            return ""
        rows = np.moveaxis(self._result, self._spot.axis, 0)
        usual = rows[next(iter(self._places.values()))]
        odd = [place for place in self._places.values() if not same(rows[place], usual)]
        return places_in_words(sorted(odd), self._spot.axis)

    def _difference(self, entries: dict[int, Array], size: str) -> Difference:
        """Say which units differ in the result, and by how much."""
        pair, groups = self._ways.pair, self._ways.run.groups
        if not groups:
            return Difference(f"units {pair.a} and {pair.b}, exchanged", None, 0.0, size)
        if not entries:
            return Difference(groups_in_words(groups), None, 0.0, size)
        units, flat = sorted(entries), self._result.ravel()
        one = np.stack([flat[entries[unit]] for unit in units])
        if self._places:
            numbers = one.real.astype(np.float64), one.imag.astype(np.float64)
            found = compare.group_rows(*numbers)
            groups = [tuple(units[k] for k in group) for group in found]
        other = one[[units.index(next(iter(entries)))] * len(units)]
        exact = one.dtype in (np.float32, np.float64)
        ulps = compare.max_ulps(one, other) if exact else None
        relative = compare.max_relative(abs(one).astype(np.float64), abs(other).astype(np.float64))
        return Difference(groups_in_words(groups), ulps, relative, size)

    def _jump(self) -> str:
        """Say how large a jump is."""
        finding, event = self.finding, self._event
        if finding.kind == "differs":
            if finding.noise == 0 or np.isinf(finding.deviation):
                return "a jump: rounding cannot move it"
            times = finding.deviation / finding.noise
            return f"a jump: {times:.2g} times what rounding can come to"
        if event.call.written:
            before, after = event.operands[event.call.written[0]], event.arrays[0]
            if before.dtype.kind in "fc":
                return f"it changes a unit by a relative {compare.max_relative(before, after):.2g}"
        return "nothing to compare it with"

    def _cause(self) -> tuple[str, Event | None]:
        """Say what the operation did; also return the operation behind it, if it is another one."""
        event, finding = self._event, self.finding
        foreign = self._foreign()
        origin = self._random_origin(foreign)
        if origin is not None or event.call.random:
            is_mask = any(word in (origin or event).call.name for word in _MASKS)
            mask = "a random mask" if is_mask else "a random mask, or noise"
            return f"it draws random numbers that differ between the units: {mask}", origin
        if foreign:
            many = len(foreign) > 1
            listed = " and ".join(str(position + 1) for position in foreign)
            return (
                f"it brings values that are equal for equal units together with operand{'s' * many}"
                f" {listed}, which differ{'s' * (not many)} between them"
            ), None
        chooser = self._chooser()
        if chooser is not None or self._result.dtype.kind in "iu":
            return "it chooses between equal units", chooser
        elsewhere = self._elsewhere()
        if elsewhere:
            moved = next((p for p in elsewhere if self._mover(p) is not None), elsewhere[0])
            return f"operand {moved + 1} holds the units at other positions", self._mover(moved)
        if not self._spot.both:
            return self._alone(finding.event, lacks=finding.kind == "alone"), None
        for position, (array, spot, maker) in enumerate(self._taken, 1):
            if maker is None and spot and spot.both and not same(*spot.sides(array)):
                already = f"operand {position} already differs"
                return f"{already}; it comes from code that was not observed", None
        if finding.key[1] < len(event.call.written) and event.fresh < len(event.arrays):
            return "it writes into some of the units of an array whose units were equal", None
        if not self._ways.run.groups:
            return "when its operands are exchanged, its result is not just exchanged", None
        if (left := self._left()) is not None:
            return self._alone(left, lacks=True), self._ways.run.events[self._ways.own[left]]
        return "its operands are equal for equal units, its result is not", None

    def _foreign(self) -> list[int]:
        """Return the operands that the exchange does not move, but differ where the units are."""
        spot, found = self._spot, []
        if spot.kind != "axis":
            return []
        result = self._event.arrays[self.finding.key[1]]
        for position, array in enumerate(self._event.operands):
            axis = spot.axis - result.ndim + array.ndim  # as operands are broadcast
            if self._operands[position] is not None or axis < 0:
                continue
            if array.shape[axis] != result.shape[spot.axis]:
                continue
            if not same(array.take(spot.i, axis), array.take(spot.j, axis)):
                found.append(position)
        return found

    def _alone(self, event: int, *, lacks: bool) -> str:
        """Say which unit is alone in an event, and what of the other, which may lack one."""
        pair = self._ways.pair
        if not self._ways.run.groups:
            return f"one of units {pair.a} and {pair.b} goes through it, and the other does not"
        one, other = (pair.a, pair.b) if event in self._ways.usual else (pair.b, pair.a)
        if lacks:
            return f"unit {one} goes through it, and unit {other} through no such operation"
        return f"what it makes of unit {one} is not what the same operation makes of unit {other}"

    def _left(self) -> int | None:
        """Return the event from which an operand has one of the units alone, if one has."""
        seen, spots = self._ways.seen, self._ways.pair.spots
        alone = {key[0]: s.shape for key, s in spots.items() if key[1] == 0 and s and not s.both}
        taken = zip(self._operands, seen[self.finding.event].makers, strict=True)
        ways = [m for spot, m in taken if spot is not None and not spot.both and m in alone]
        left = None
        while ways:  # back through what keeps the shape
            left = ways[0]
            ways = [m for m in seen[left].makers if m in alone and alone[m] == alone[left]]
        return left

    def _chooser(self) -> Event | None:
        """Return the event that made whole numbers which tell units apart, if it is given some."""
        if self._spot.both:
            return None
        for array, spot, maker in self._taken:
            if array.dtype.kind in "iu" and spot is not None and maker is not None:
                return self._ways.run.events[maker]
        return None

    def _random_origin(self, foreign: Sequence[int]) -> Event | None:
        """Walk from foreign operands to their makers, up to one that draws random numbers.

        One that depends on the units, that has another shape than the operand or no axis as long as
        theirs, or of which only the shape is of use, is on no such way.
        """
        events, met = self._ways.run.events, set()
        taken = [self._taken[position] for position in foreign]
        waiting = [(maker, array.shape) for array, _, maker in taken]
        while waiting:
            number, shape = waiting.pop()
            if number is None or number in met or self._ways.moves(number):
                continue
            met.add(number)
            shapes = events[number].signature[-1]
            if not any(self._length in own and _fills(own, shape) for own in shapes):
                continue
            if events[number].call.random:
                return events[number]
            if not any(word in events[number].call.name for word in _SHAPES):
                waiting += [(maker, shape) for maker in events[number].makers]
        return None

    def _elsewhere(self) -> Sequence[int]:
        """Return an operand whose units lie at other indices than those of the one before it.

        Both are returned, the later one first; nothing if there are none.
        """
        along = [(n, s) for n, s in enumerate(self._operands) if s is not None and s.kind == "axis"]
        for (before, one), (position, other) in pairwise(along):
            fits = self._spot.both and self._spot.fits
            if (one.i, one.j) != (other.i, other.j) and not fits:
                return position, before
        return ()

    def _mover(self, position: int) -> Event | None:
        """Return the event that brought the units of an operand to other positions.

        One that puts something before or behind all of them does not.
        """
        ways, spots = self._ways, self._ways.pair.spots
        number = ways.seen[self.finding.event].makers[position]
        while number is not None:
            here, makers = spots.get((number, 0)), ways.seen[number].makers
            maker = next((m for m in makers if m is not None and spots.get((m, 0))), -1)
            there = spots.get((maker, 0))
            if here is None or there is None or (here.kind, there.kind) != ("axis", "axis"):
                return None
            longer = here.shape[here.axis] != there.shape[there.axis]
            moved = (here.i, here.j) != (there.i, there.j)
            if moved and not (longer and here.j - here.i == there.j - there.i):
                return ways.run.events[ways.own[number]]
            number = maker
        return None

    def _remarks(self, origin: Event | None) -> Iterator[str]:
        """Say where an operand comes from that belongs to the story."""
        event, events, written = self._event, self._ways.run.events, self._event.call.written
        for position in self._foreign():
            maker = event.makers[position]
            if maker is not None and (origin is None or maker != origin.number):
                yield f"operand {position + 1} was made by {at(events[maker])}"
        if origin is not None:
            yield f"the units first differ in {at(event)}"
        elif self.finding.key[1] < len(written):
            for position, maker in enumerate(event.makers):
                if position not in written and maker is not None:
                    yield f"what it writes was made by {at(events[maker])}"

    def _repeated(self) -> Iterator[str]:
        """Do the operation again on the same operands, and say what came of it."""
        spot, before = self._spot, self._event.arrays[self.finding.key[1]]
        try:
            after = self._again()
        except Exception as error:  # whatever a library raises
            yield f"repeated alone: it raises {type(error).__name__}"
            return
        if after is None:
            return
        if not (spot.both and self._ways.run.groups):
            yield f"repeated alone: {'the same' if same(before, after) else 'another'} result"
        elif before.shape != after.shape or same(*spot.sides(after)):
            yield "repeated alone: the result is equal for equal units"
        elif same(before, after):
            yield "repeated alone: the same unequal result"
        else:
            yield "repeated alone: an unequal result again, with other numbers"
        if self.rounds:
            yield "repeated alone in float64: the units are equal, up to the rounding of float64"

    def _again(self, *, precisely: bool = False) -> Array | None:
        """Do the operation again on the same operands; None if it writes without saying so."""
        event, q = self._event, self.finding.key[1]
        operands = [
            array.astype(np.float64) if precisely and array.dtype.kind == "f" else array.copy("K")
            for array in event.operands
        ]
        results = event.call.perform(operands)
        brought = [*(operands[p] for p in event.call.written), *results]
        return brought[q] if q < len(brought) == event.fresh else None


def _fills(shape: Sequence[int], whole: Sequence[int]) -> bool:
    """Return whether an array can be broadcast to another shape, or has as many entries."""
    with suppress(ValueError):  # they do not go together
        if np.broadcast_shapes(tuple(shape), tuple(whole)) == tuple(whole):
            return True
    return math.prod(shape) == math.prod(whole)


def _operand(array: Array, dtype: str, spot: Spot | None) -> Operand:
    strides = tuple(stride // array.itemsize for stride in array.strides)
    memory = "transposed" if array.flags.f_contiguous else "strided"
    if array.flags.c_contiguous:
        memory = "contiguous"
    return Operand(dtype, array.shape, strides, memory, _units(array, spot))


def _units(array: Array, spot: Spot | None) -> str:
    if spot is None:
        return "no units"
    if not spot.both:
        return "only one of the two units"
    where = f"units along axis {spot.axis}" if spot.kind == "axis" else "units entry by entry"
    return f"{where}, equal" if same(*spot.sides(array)) else f"{where}, which differ"
