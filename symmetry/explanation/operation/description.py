"""The description of a captured operation, as ``symmetry explain`` prints it.

In words it says how the operation treats two units differently, which is the cause, where its
result holds each of them, and how much these differ.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import chain
from typing import NamedTuple

import numpy as np

from symmetry.base.libraries import Phase
from symmetry.explanation.explained import Culprit, Difference, Operand
from symmetry.explanation.operation.captured import CapturedOperation
from symmetry.explanation.operation.origins import (
    chooser,
    displaced_operands,
    foreign_operands,
    gradient_origin,
    mover,
    random_origin,
    single_unit_origin,
)
from symmetry.explanation.operation.repetition import Repetition, write
from symmetry.explanation.search.location import Location
from symmetry.observe.tape import Event
from symmetry.units import compare
from symmetry.units.compare import identical
from symmetry.units.state import Array
from symmetry.units.words import groups_in_words, places_in_words

_MASKS = ("bernoulli", "dropout")


class Cause(NamedTuple):
    """A cause in words, and the operation behind the captured one, if it is another one."""

    text: str
    origin: Event | None = None


def cause_of(operation: CapturedOperation) -> Cause:
    """Return the first cause that applies: each one takes for granted that those before do not."""
    causes = (cause(operation) for cause in _CAUSES)
    first = next((cause for cause in causes if cause is not None), None)
    return first or Cause("its operands are equal for equal units, its result is not")


def _draws(operation: CapturedOperation) -> Cause | None:
    """Look for random numbers that it draws, or that an operand was made from."""
    event = operation.event
    origin = random_origin(operation, foreign_operands(operation))
    if origin is None and not event.call.random:
        return None
    is_mask = any(word in (origin or event).call.name for word in _MASKS)
    mask = "a random mask" if is_mask else "a random mask, or noise"
    return Cause(f"it draws random numbers that differ between the units: {mask}", origin)


def _keeps_a_gradient(operation: CapturedOperation) -> Cause | None:
    """Look for an update by a gradient that does not move with the units."""
    origin = gradient_origin(operation, foreign_operands(operation))
    if origin is None:
        return None
    text = "its result is a gradient of units, and an exchange of units leaves it as it is"
    return Cause(text, origin)


def _adds_other_values(operation: CapturedOperation) -> Cause | None:
    """Look for operands that depend on neither unit, and hold other numbers for each."""
    foreign = foreign_operands(operation)
    if not foreign:
        return None
    many = len(foreign) > 1
    listed = " and ".join(str(position + 1) for position in foreign)
    return Cause(
        f"it brings values that are equal for equal units together with operand{'s' * many}"
        f" {listed}, which differ{'s' * (not many)} between them"
    )


def _chooses(operation: CapturedOperation) -> Cause | None:
    """Look for an index or a mask that it computes, or by which it takes one of the units."""
    origin = chooser(operation)
    if origin is None and operation.result.dtype.kind not in "iu":
        return None
    return Cause("it chooses between equal units", origin)


def _meets_moved_units(operation: CapturedOperation) -> Cause | None:
    """Look for two operands that hold the units at different positions."""
    displaced = displaced_operands(operation)
    if not displaced:
        return None
    moved = next((p for p in displaced if mover(operation, p) is not None), displaced[0])
    text = f"operand {moved + 1} holds the units at other positions"
    return Cause(text, mover(operation, moved))


def _takes_one_unit(operation: CapturedOperation) -> Cause | None:
    """Look whether it is an operation on one of the units alone."""
    if operation.location.both:
        return None
    inequality = operation.inequality
    return Cause(_alone(operation, inequality.event, lacks=inequality.kind == "alone"))


def _was_given_unequal_units(operation: CapturedOperation) -> Cause | None:
    """Look for an operand that differs already, and that no recorded operation made."""
    for position, (array, location, maker) in enumerate(operation.taken, 1):
        if maker is None and location and location.both and not identical(*location.sides(array)):
            already = f"operand {position} already differs"
            return Cause(f"{already}; it comes from code that was not observed")
    return None


def _writes_into_some(operation: CapturedOperation) -> Cause | None:
    """Look whether it writes over a part of an array."""
    event = operation.event
    written = operation.inequality.key[1] < len(event.call.written)
    if not written or event.fresh == len(event.arrays):
        return None
    return Cause("it writes into some of the units of an array whose units were equal")


def _is_unfair(operation: CapturedOperation) -> Cause | None:
    """Look whether all units begin different: then only their exchange shows anything."""
    if operation.runs.run.groups:
        return None
    return Cause("when its operands are exchanged, its result is not just exchanged")


def _lacks_one_unit(operation: CapturedOperation) -> Cause | None:
    """Look for an operand with one of the units alone, by an operation that the other lacks."""
    left = single_unit_origin(operation)
    if left is None:
        return None
    runs = operation.runs
    return Cause(_alone(operation, left, lacks=True), runs.run.events[runs.own[left]])


def _alone(operation: CapturedOperation, event: int, *, lacks: bool) -> str:
    """Return which unit is alone in an event, and how the other one, which may lack it, differs."""
    runs = operation.runs
    a, b = runs.exchange.a, runs.exchange.b
    if not runs.run.groups:
        return f"one of units {a} and {b} goes through it, and the other does not"
    one, other = (a, b) if event in runs.usual else (b, a)
    if lacks:
        return f"unit {one} goes through it, and unit {other} through no such operation"
    return f"its result for unit {one} is not the result of the same operation for unit {other}"


_CAUSES: tuple[Callable[[CapturedOperation], Cause | None], ...] = (
    _draws,
    _keeps_a_gradient,
    _adds_other_values,
    _chooses,
    _meets_moved_units,
    _takes_one_unit,
    _was_given_unequal_units,
    _writes_into_some,
    _is_unfair,
    _lacks_one_unit,
)


class Layout:
    """Where the clones lie in the result: as far apart as the two, by their numbers."""

    def __init__(self, operation: CapturedOperation) -> None:
        self._operation = operation

    @cached_property
    def places(self) -> dict[int, int]:
        """Return the index of each clone along the axis of the units, the usual one first.

        Empty if they do not lie along one, evenly.
        """
        location, runs = self._operation.location, self._operation.runs
        exchange, control = runs.exchange, runs.control
        if location.kind != "axis":
            return {}
        here, there = location.i, location.j
        if exchange.a > exchange.b:
            here, there = there, here
        other = control.locations.get(self._operation.inequality.key)
        if other and other.kind == "axis" and here not in (other.i, other.j):
            here, there = there, here
        stride, odd = divmod(there - here, exchange.b - exchange.a)
        if odd:
            return {exchange.a: here, exchange.b: there}
        clones = sorted(chain.from_iterable(runs.run.groups))
        places = {u: here + (u - exchange.a) * stride for u in (exchange.a, *clones)}
        return {u: place for u, place in places.items() if 0 <= place < self._operation.length}

    @property
    def entries(self) -> dict[int, Array]:
        """Return the entries of the flat result that belong to each unit, the usual one first."""
        location, exchange = self._operation.location, self._operation.runs.exchange
        result = self._operation.result
        if location.kind == "entries":
            return {exchange.a: location.i, exchange.b: location.j}
        numbers = np.arange(result.size).reshape(result.shape)
        return {u: numbers.take(p, location.axis).ravel() for u, p in self.places.items()}

    def odd_rows(self) -> str:
        """Name the rows or columns of the result that are not as those of the usual unit."""
        if len(self.places) < 2:
            return ""
        axis = self._operation.location.axis
        rows = np.moveaxis(self._operation.result, axis, 0)
        usual = rows[next(iter(self.places.values()))]
        odd = [place for place in self.places.values() if not identical(rows[place], usual)]
        return places_in_words(sorted(odd), axis)


def difference(operation: CapturedOperation, layout: Layout, size: str) -> Difference:
    """Return which units differ in the result, and by how much."""
    exchange, groups = operation.runs.exchange, operation.runs.run.groups
    entries = layout.entries
    if not groups:
        words = operation.worded(f"units {exchange.a} and {exchange.b}, exchanged")
        return Difference(words, None, 0.0, size)
    if not entries:
        return Difference(groups_in_words(groups), None, 0.0, size)
    units, flat = sorted(entries), operation.result.ravel()
    one = np.stack([flat[entries[unit]] for unit in units])
    if layout.places:
        numbers = one.real.astype(np.float64), one.imag.astype(np.float64)
        found = compare.group_rows(*numbers)
        groups = [tuple(units[k] for k in group) for group in found]
    other = one[[units.index(next(iter(entries)))] * len(units)]
    exact = one.dtype in (np.float32, np.float64)
    ulps = compare.max_ulps(one, other) if exact else None
    relative = compare.max_relative(abs(one).astype(np.float64), abs(other).astype(np.float64))
    return Difference(groups_in_words(groups), ulps, relative, size)


def jump(operation: CapturedOperation) -> str:
    """Return how large a jump is, in words."""
    inequality, event = operation.inequality, operation.event
    if inequality.kind == "differs":
        if inequality.rounding == 0 or np.isinf(inequality.deviation):
            return "a jump: rounding cannot move it"
        times = inequality.deviation / inequality.rounding
        return f"a jump: {times:.2g} times what rounding can do"
    if event.call.written:
        before, after = event.operands[event.call.written[0]], event.arrays[0]
        if before.dtype.kind in "fc":
            return f"it changes a unit by a relative {compare.max_relative(before, after):.2g}"
    return "nothing to compare it with"


def at(event: Event) -> str:
    """Name an operation and where it is."""
    return f"{event.call.name} ({event.call.place})" if str(event.call.place) else event.call.name


class Description:
    """Describes a captured operation: its line, its cause, its arrays and the evidence.

    Attributes
    ----------
    inequality
        Its array in which the units differ.
    """

    def __init__(self, operation: CapturedOperation) -> None:
        self._operation, self.inequality = operation, operation.inequality
        self._layout, self._repetition = Layout(operation), Repetition(operation)

    @property
    def rounds(self) -> bool:
        """Whether the operation treats the units equally up to rounding."""
        return self._repetition.rounds

    @np.errstate(all="ignore")
    def culprit(self, size: str = "") -> Culprit:
        """Describe the operation; ``size`` is said of its difference if it is no jump."""
        operation, event = self._operation, self._operation.event
        cause = self._cause
        seen = event if cause.origin is None else cause.origin
        place = seen.call.place
        parameter, rows = self._named()
        entries = self._layout.entries
        replay = write(event, operation.position, entries, f"{event.call.name}: {cause.text}")
        return Culprit(
            operation=seen.call.name,
            file=str(place).rpartition(":")[0],
            line=place.line,
            source=place.source,
            phase=self._phase(seen, parameter),
            module=place.module,
            parameter=parameter,
            rows=rows,
            step=operation.runs.run.step_of(event.number),
            cause=operation.worded(cause.text),
            operands=tuple(
                map(self._operand, event.operands, event.call.dtypes, operation.operands)
            ),
            result=self._operand(operation.result, operation.result.dtype.name, operation.location),
            difference=difference(operation, self._layout, size or jump(operation)),
            pair=(operation.runs.exchange.b, operation.runs.exchange.a),
            remarks=tuple(map(operation.worded, self._remarks())),
            evidence=tuple(map(operation.worded, self._repetition.sentences())),
            script=replay,
        )

    @cached_property
    def _cause(self) -> Cause:
        return cause_of(self._operation)

    def _named(self) -> tuple[str, str]:
        """Return the user's name of the result, and its rows; empty if another line is guilty."""
        parameter, rows = self._operation.named if self._cause.origin is None else ("", "")
        return parameter, rows or (parameter and self._layout.odd_rows())

    def _phase(self, seen: Event, parameter: str) -> Phase:
        """Return the phase; outside of PyTorch's code, a write into a parameter is an update."""
        phase = seen.call.place.phase
        if phase == "other" and parameter and not parameter.startswith("the gradient"):
            return "optimizer"
        return phase

    def _operand(self, array: Array, dtype: str, location: Location | None) -> Operand:
        strides = tuple(stride // array.itemsize for stride in array.strides)
        memory = "transposed" if array.flags.f_contiguous else "strided"
        if array.flags.c_contiguous:
            memory = "contiguous"
        units = self._operation.worded(_units(array, location))
        return Operand(dtype, array.shape, strides, memory, units)

    def _remarks(self) -> Iterator[str]:
        """Yield the origins of operands that help to understand the operation."""
        event, events = self._operation.event, self._operation.runs.run.events
        origin, written = self._cause.origin, event.call.written
        for position in foreign_operands(self._operation):
            maker = event.makers[position]
            if maker is not None and (origin is None or maker != origin.number):
                yield f"operand {position + 1} was made by {at(events[maker])}"
        if origin is not None:
            yield f"the units first differ in {at(event)}"
        elif self.inequality.key[1] < len(written):
            for position, maker in enumerate(event.makers):
                if position not in written and maker is not None:
                    yield f"the values that it writes were made by {at(events[maker])}"


def _units(array: Array, location: Location | None) -> str:
    if location is None:
        return "no units"
    if not location.both:
        return "only one of the two units"
    where = (
        f"units along axis {location.axis}" if location.kind == "axis" else "units entry by entry"
    )
    return f"{where}, equal" if identical(*location.sides(array)) else f"{where}, which differ"
