"""The cause: how an operation treats two units differently, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

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
from symmetry.observe.tape import Event
from symmetry.units.compare import identical

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
    return f"what it makes of unit {one} is not what the same operation makes of unit {other}"


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
