"""What is known of an operation that splits units: its arrays, its cause, its evidence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain, pairwise, repeat

import numpy as np

from symmetry.explanation.exchange import Inequality, apart
from symmetry.explanation.explained import Culprit, Difference, Operand
from symmetry.explanation.location import Location, locate, same
from symmetry.explanation.replay import write
from symmetry.explanation.search import ExchangedRuns
from symmetry.observe.tape import Event
from symmetry.units import compare
from symmetry.units.state import Array
from symmetry.units.words import groups_in_words, places_in_words

_ROUNDING = 1e-4  # of a difference is left in float64 where it is of rounding; else all is left
_ONE = {"samples": "sample", "inputs": "input", "classes": "class"}
_MASKS = ("bernoulli", "dropout")
_SHAPES = ("_like", "new_")  # in names of operations that take nothing but the shape of an operand


def at(event: Event) -> str:
    """Name an operation and where it is."""
    return f"{event.call.name} ({event.call.place})" if str(event.call.place) else event.call.name


def capture(runs: ExchangedRuns, inequality: Inequality) -> CapturedOperation:
    """Run again with different units, exchanged ones and equal ones; keep what the operation took.

    Its arrays are those of the run with equal units; the others tell where its operands hold the
    two.
    """
    seen, own = runs.seen[inequality.event], runs.run.events[runs.own[inequality.event]]
    s = runs.captured(runs.different, seen)
    t = runs.captured(runs.swapped, seen)
    named = "", ""

    def note(event: Event) -> None:
        nonlocal named
        position = _position(event, inequality)
        named = runs.run.watched.named(event.arrays[position], event.memories[position])

    event = runs.captured(runs.run.watched.state, own, note)
    distance = repeat(abs(runs.exchange.b - runs.exchange.a))
    operands = [*map(locate, s.operands, t.operands, distance)]
    return CapturedOperation(runs, inequality, event, named, operands)


class CapturedOperation:
    """The operation of an inequality, with its operands: it can be repeated alone, and described.

    Attributes
    ----------
    inequality
        The array of it that tells the units apart.
    """

    def __init__(
        self,
        runs: ExchangedRuns,
        inequality: Inequality,
        event: Event,
        named: tuple[str, str],
        operands: Sequence[Location | None],
    ) -> None:
        self._runs, self.inequality, self._location = runs, inequality, inequality.location
        self._event, self._named, self._operands = event, named, operands
        self._taken = [*zip(event.operands, operands, event.makers, strict=True)]
        self._position = _position(event, inequality)
        self._result, axis = event.arrays[self._position], inequality.location.axis
        self._length = self._result.shape[axis] if inequality.location.kind == "axis" else 0
        self._places = self._places_along_axis()

    @np.errstate(all="ignore")
    def culprit(self, size: str = "") -> Culprit:
        """Describe the operation; ``size`` is said of its difference if it is no jump."""
        event, run = self._event, self._runs.run
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
            cause=self._of(cause),
            operands=tuple(map(self._operand, event.operands, event.call.dtypes, self._operands)),
            result=self._operand(self._result, self._result.dtype.name, self._location),
            difference=self._difference(entries, size or self._jump()),
            remarks=tuple(map(self._of, self._remarks(origin))),
            evidence=tuple(map(self._of, self._repeated())),
            script=write(event, self._position, entries, f"{event.call.name}: {cause}"),
        )

    def _of(self, text: str) -> str:
        """Return a text about units as one about samples, if these are what was exchanged."""
        name = self._runs.run.units.name
        return text.replace("units", name).replace("unit", _ONE[name]) if name in _ONE else text

    def _operand(self, array: Array, dtype: str, location: Location | None) -> Operand:
        strides = tuple(stride // array.itemsize for stride in array.strides)
        memory = "transposed" if array.flags.f_contiguous else "strided"
        if array.flags.c_contiguous:
            memory = "contiguous"
        return Operand(dtype, array.shape, strides, memory, self._of(_units(array, location)))

    @cached_property
    @np.errstate(all="ignore")
    def rounds(self) -> bool:
        """Whether it treats the units alike but for rounding: in float64 they are nearer."""
        if not self._location.both or self._result.dtype.kind != "f":
            return False
        try:
            precise = self._again(precisely=True)
        except Exception:  # whatever a library raises, that does not have it in float64
            return False
        if precise is None or precise.dtype != np.float64 or precise.shape != self._result.shape:
            return False
        near, far = (apart(*self._location.sides(array)) for array in (precise, self._result))
        return bool(np.isfinite(far) and near <= _ROUNDING * far)

    def _places_along_axis(self) -> dict[int, int]:
        """Return the index of each clone along the axis of the units, the usual one first.

        Empty if they do not lie along one, evenly.
        """
        location, exchange, control = self._location, self._runs.exchange, self._runs.control
        if location.kind != "axis":
            return {}
        here, there = location.i, location.j
        if exchange.a > exchange.b:
            here, there = there, here
        other = control.locations.get(self.inequality.key)
        if other and other.kind == "axis" and here not in (other.i, other.j):
            here, there = there, here
        stride, odd = divmod(there - here, exchange.b - exchange.a)
        if odd:
            return {exchange.a: here, exchange.b: there}
        clones = sorted(chain.from_iterable(self._runs.run.groups))
        places = {u: here + (u - exchange.a) * stride for u in (exchange.a, *clones)}
        return {u: place for u, place in places.items() if 0 <= place < self._length}

    def _entries(self) -> dict[int, Array]:
        """Return the entries of the flat result that belong to each unit, the usual one first."""
        location, exchange = self._location, self._runs.exchange
        if location.kind == "entries":
            return {exchange.a: location.i, exchange.b: location.j}
        numbers = np.arange(self._result.size).reshape(self._result.shape)
        return {u: numbers.take(p, location.axis).ravel() for u, p in self._places.items()}

    def _rows(self) -> str:
        """Name the rows or columns of the result that are not as those of the usual unit."""
        if len(self._places) < 2:
            return ""
        rows = np.moveaxis(self._result, self._location.axis, 0)
        usual = rows[next(iter(self._places.values()))]
        odd = [place for place in self._places.values() if not same(rows[place], usual)]
        return places_in_words(sorted(odd), self._location.axis)

    def _difference(self, entries: dict[int, Array], size: str) -> Difference:
        """Say which units differ in the result, and by how much."""
        exchange, groups = self._runs.exchange, self._runs.run.groups
        if not groups:
            words = self._of(f"units {exchange.a} and {exchange.b}, exchanged")
            return Difference(words, None, 0.0, size)
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
        inequality, event = self.inequality, self._event
        if inequality.kind == "differs":
            if inequality.noise == 0 or np.isinf(inequality.deviation):
                return "a jump: rounding cannot move it"
            times = inequality.deviation / inequality.noise
            return f"a jump: {times:.2g} times what rounding can come to"
        if event.call.written:
            before, after = event.operands[event.call.written[0]], event.arrays[0]
            if before.dtype.kind in "fc":
                return f"it changes a unit by a relative {compare.max_relative(before, after):.2g}"
        return "nothing to compare it with"

    def _cause(self) -> tuple[str, Event | None]:
        """Say what the operation did; also return the operation behind it, if it is another one."""
        event, inequality = self._event, self.inequality
        foreign = self._foreign()
        origin = self._random_origin(foreign)
        if origin is not None or event.call.random:
            is_mask = any(word in (origin or event).call.name for word in _MASKS)
            mask = "a random mask" if is_mask else "a random mask, or noise"
            return f"it draws random numbers that differ between the units: {mask}", origin
        if (origin := self._gradient_origin(foreign)) is not None:
            return (
                "its result is a gradient of units, and an exchange of units leaves it as it is",
                origin,
            )
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
        if not self._location.both:
            return self._alone(inequality.event, lacks=inequality.kind == "alone"), None
        for position, (array, location, maker) in enumerate(self._taken, 1):
            if maker is None and location and location.both and not same(*location.sides(array)):
                already = f"operand {position} already differs"
                return f"{already}; it comes from code that was not observed", None
        if inequality.key[1] < len(event.call.written) and event.fresh < len(event.arrays):
            return "it writes into some of the units of an array whose units were equal", None
        if not self._runs.run.groups:
            return "when its operands are exchanged, its result is not just exchanged", None
        if (left := self._left()) is not None:
            return self._alone(left, lacks=True), self._runs.run.events[self._runs.own[left]]
        return "its operands are equal for equal units, its result is not", None

    def _foreign(self) -> list[int]:
        """Return the operands that the exchange does not move, but differ where the units are."""
        location, found = self._location, []
        if location.kind != "axis":
            return []
        result = self._event.arrays[self.inequality.key[1]]
        for position, array in enumerate(self._event.operands):
            axis = location.axis - result.ndim + array.ndim  # as operands are broadcast
            if self._operands[position] is not None or axis < 0:
                continue
            if array.shape[axis] != result.shape[location.axis]:
                continue
            if not same(array.take(location.i, axis), array.take(location.j, axis)):
                found.append(position)
        return found

    def _gradient_origin(self, foreign: Sequence[int]) -> Event | None:
        """Return the event of a backward that made a foreign operand, if an update carries it out.

        What keeps the shape of it, as clipping does, only hands it on.
        """
        events, phase = self._runs.run.events, self._event.call.place.phase
        if not foreign or phase not in ("optimizer", "other"):
            return None
        array, _, number = self._taken[foreign[0]]
        while number is not None:
            made = [m for m in events[number].makers if m is not None]
            before = {m for m in made if array.shape in events[m].signature[-1]}
            if not before:
                return events[number] if events[number].call.place.phase == "backward" else None
            number = before.pop() if len(before) == 1 else None  # of several nobody knows which
        return None

    def _alone(self, event: int, *, lacks: bool) -> str:
        """Say which unit is alone in an event, and what of the other, which may lack one."""
        a, b = self._runs.exchange.a, self._runs.exchange.b
        if not self._runs.run.groups:
            return f"one of units {a} and {b} goes through it, and the other does not"
        one, other = (a, b) if event in self._runs.usual else (b, a)
        if lacks:
            return f"unit {one} goes through it, and unit {other} through no such operation"
        return f"what it makes of unit {one} is not what the same operation makes of unit {other}"

    def _left(self) -> int | None:
        """Return the event from which an operand has one of the units alone, if one has."""
        seen, locations = self._runs.seen, self._runs.exchange.locations
        single = ((n, o.shape) for (n, q), o in locations.items() if q == 0 and o and not o.both)
        alone = dict(single)
        taken = zip(self._operands, seen[self.inequality.event].makers, strict=True)
        runs = [
            m for location, m in taken if location is not None and not location.both and m in alone
        ]
        left = None
        while runs:  # back through what keeps the shape
            left = runs[0]
            runs = [m for m in seen[left].makers if m in alone and alone[m] == alone[left]]
        return left

    def _chooser(self) -> Event | None:
        """Return the event that made whole numbers which tell units apart, if it is given some."""
        if self._location.both:
            return None
        for array, location, maker in self._taken:
            if array.dtype.kind in "iu" and location is not None and maker is not None:
                return self._runs.run.events[maker]
        return None

    def _random_origin(self, foreign: Sequence[int]) -> Event | None:
        """Walk from foreign operands to their makers, up to one that draws random numbers.

        One that depends on the units, that has another shape than the operand or no axis as long as
        theirs, or of which only the shape is of use, is on no such way.
        """
        events, met = self._runs.run.events, set()
        taken = [self._taken[position] for position in foreign]
        waiting = [(maker, array.shape) for array, _, maker in taken]
        while waiting:
            number, shape = waiting.pop()
            if number is None or number in met or self._runs.moves(number):
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

        Both are returned, the later one first; nothing if there are none. A result of the same
        shape may fit by chance, where all its values have one size.
        """
        along = [(n, s) for n, s in enumerate(self._operands) if s is not None and s.kind == "axis"]
        fits = self._location.both and self._location.fits
        for (before, one), (position, other) in pairwise(along):
            moved = (one.i, one.j) != (other.i, other.j)
            alike = one.axis == other.axis and one.shape == other.shape == self._location.shape
            if moved and (alike or not fits):
                return position, before
        return ()

    def _mover(self, position: int) -> Event | None:
        """Return the event that brought the units of an operand to other positions.

        One that puts something before or behind all of them does not.
        """
        runs, locations = self._runs, self._runs.exchange.locations
        number = runs.seen[self.inequality.event].makers[position]
        while number is not None:
            here, makers = locations.get((number, 0)), runs.seen[number].makers
            maker = next((m for m in makers if m is not None and locations.get((m, 0))), -1)
            there = locations.get((maker, 0))
            if here is None or there is None or (here.kind, there.kind) != ("axis", "axis"):
                return None
            longer = here.shape[here.axis] != there.shape[there.axis]
            moved = (here.i, here.j) != (there.i, there.j)
            if moved and not (longer and here.j - here.i == there.j - there.i):
                return runs.run.events[runs.own[number]]
            number = maker
        return None

    def _remarks(self, origin: Event | None) -> Iterator[str]:
        """Say where an operand comes from that belongs to the story."""
        event, events, written = self._event, self._runs.run.events, self._event.call.written
        for position in self._foreign():
            maker = event.makers[position]
            if maker is not None and (origin is None or maker != origin.number):
                yield f"operand {position + 1} was made by {at(events[maker])}"
        if origin is not None:
            yield f"the units first differ in {at(event)}"
        elif self.inequality.key[1] < len(written):
            for position, maker in enumerate(event.makers):
                if position not in written and maker is not None:
                    yield f"what it writes was made by {at(events[maker])}"

    def _repeated(self) -> Iterator[str]:
        """Do the operation again on the same operands, and say what came of it."""
        location, before = self._location, self._event.arrays[self.inequality.key[1]]
        try:
            after = self._again()
        except Exception as error:  # whatever a library raises
            yield f"repeated alone: it raises {type(error).__name__}"
            return
        if after is None:
            return
        if not (location.both and self._runs.run.groups):
            yield f"repeated alone: {'the same' if same(before, after) else 'another'} result"
        elif before.shape != after.shape or same(*location.sides(after)):
            yield "repeated alone: the result is equal for equal units"
        elif same(before, after):
            yield "repeated alone: the same unequal result"
        else:
            yield "repeated alone: an unequal result again, with other numbers"
        if self.rounds:
            yield "repeated alone in float64: the units are equal, up to the rounding of float64"

    def _again(self, *, precisely: bool = False) -> Array | None:
        """Do the operation again on the same operands; None if it writes without saying so."""
        event, q = self._event, self.inequality.key[1]
        operands = [
            array.astype(np.float64) if precisely and array.dtype.kind == "f" else array.copy("K")
            for array in event.operands
        ]
        results = event.call.perform(operands)
        brought = [*(operands[p] for p in event.call.written), *results]
        return brought[q] if q < len(brought) == event.fresh else None


def _position(event: Event, inequality: Inequality) -> int:
    """Return which array of the event it is; 0 for what a partial write wrote over."""
    position = inequality.key[1]
    return position if position < event.fresh else 0


def _fills(shape: Sequence[int], whole: Sequence[int]) -> bool:
    """Return whether an array can be broadcast to another shape, or has as many entries."""
    with suppress(ValueError):  # they do not go together
        if np.broadcast_shapes(tuple(shape), tuple(whole)) == tuple(whole):
            return True
    return math.prod(shape) == math.prod(whole)


def _units(array: Array, location: Location | None) -> str:
    if location is None:
        return "no units"
    if not location.both:
        return "only one of the two units"
    where = (
        f"units along axis {location.axis}" if location.kind == "axis" else "units entry by entry"
    )
    return f"{where}, equal" if same(*location.sides(array)) else f"{where}, which differ"
