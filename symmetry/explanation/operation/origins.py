"""Where an operand comes from: back through the operations of the run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import suppress
from itertools import pairwise

import numpy as np

from symmetry.explanation.operation.captured import CapturedOperation
from symmetry.observe.tape import Event
from symmetry.units.compare import identical

_SHAPES = ("_like", "new_")  # in names of operations that take nothing but the shape of an operand


def foreign_operands(operation: CapturedOperation) -> list[int]:
    """Return the operands that the exchange does not move, but differ where the units are."""
    location, found = operation.location, []
    if location.kind != "axis":
        return []
    result = operation.event.arrays[operation.inequality.key[1]]
    for position, array in enumerate(operation.event.operands):
        axis = location.axis - result.ndim + array.ndim  # as operands are broadcast
        if operation.operands[position] is not None or axis < 0:
            continue
        if array.shape[axis] != result.shape[location.axis]:
            continue
        if not identical(array.take(location.i, axis), array.take(location.j, axis)):
            found.append(position)
    return found


def gradient_origin(operation: CapturedOperation, foreign: Sequence[int]) -> Event | None:
    """Return the event of a backward that made a foreign operand, if an update carries it out.

    What keeps the shape of it, as clipping does, only hands it on.
    """
    events, phase = operation.runs.run.events, operation.event.call.place.phase
    if not foreign or phase not in ("optimizer", "other"):
        return None
    array, _, number = operation.taken[foreign[0]]
    while number is not None:
        made = [m for m in events[number].makers if m is not None]
        before = {m for m in made if array.shape in events[m].signature[-1]}
        if not before:
            return events[number] if events[number].call.place.phase == "backward" else None
        number = before.pop() if len(before) == 1 else None  # of several, which one is open
    return None


def single_unit_origin(operation: CapturedOperation) -> int | None:
    """Return the event from which an operand has one of the units alone, if one has."""
    seen, locations = operation.runs.seen, operation.runs.exchange.locations
    single = ((n, o.shape) for (n, q), o in locations.items() if q == 0 and o and not o.both)
    alone = dict(single)
    taken = zip(operation.operands, seen[operation.inequality.event].makers, strict=True)
    runs = [m for location, m in taken if location is not None and not location.both and m in alone]
    left = None
    while runs:  # back through what keeps the shape
        left = runs[0]
        runs = [m for m in seen[left].makers if m in alone and alone[m] == alone[left]]
    return left


def chooser(operation: CapturedOperation) -> Event | None:
    """Return the event that made whole numbers in which units differ, if an operand has some."""
    if operation.location.both:
        return None
    for array, location, maker in operation.taken:
        if array.dtype.kind in "iu" and location is not None and maker is not None:
            return operation.runs.run.events[maker]
    return None


def random_origin(operation: CapturedOperation, foreign: Sequence[int]) -> Event | None:
    """Walk from foreign operands to their makers, up to one that draws random numbers.

    One that depends on the units, that has another shape than the operand or no axis as long as
    theirs, or of which only the shape is of use, is on no such way.
    """
    events, met = operation.runs.run.events, set()
    taken = [operation.taken[position] for position in foreign]
    waiting = [(maker, array.shape) for array, _, maker in taken]
    while waiting:
        number, shape = waiting.pop()
        if number is None or number in met or operation.runs.moves(number):
            continue
        met.add(number)
        shapes = events[number].signature[-1]
        if not any(operation.length in own and _fills(own, shape) for own in shapes):
            continue
        if events[number].call.random:
            return events[number]
        if not any(word in events[number].call.name for word in _SHAPES):
            waiting += [(maker, shape) for maker in events[number].makers]
    return None


def displaced_operands(operation: CapturedOperation) -> Sequence[int]:
    """Return an operand whose units lie at other indices than those of the one before it.

    Both are returned, the later one first; nothing if there are none. A result of the same
    shape may fit by chance, where all its values have one size.
    """
    along = [(n, s) for n, s in enumerate(operation.operands) if s is not None and s.kind == "axis"]
    fits = operation.location.both and operation.location.fits
    for (before, one), (position, other) in pairwise(along):
        moved = (one.i, one.j) != (other.i, other.j)
        alike = one.axis == other.axis and one.shape == other.shape == operation.location.shape
        if moved and (alike or not fits):
            return position, before
    return ()


def mover(operation: CapturedOperation, position: int) -> Event | None:
    """Return the event that brought the units of an operand to other positions.

    One that puts something before or behind all of them does not.
    """
    runs, locations = operation.runs, operation.runs.exchange.locations
    number = runs.seen[operation.inequality.event].makers[position]
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


def _fills(shape: Sequence[int], whole: Sequence[int]) -> bool:
    """Return whether an array can be broadcast to another shape, or has as many entries."""
    with suppress(ValueError):  # they do not go together
        if np.broadcast_shapes(tuple(shape), tuple(whole)) == tuple(whole):
            return True
    return math.prod(shape) == math.prod(whole)
