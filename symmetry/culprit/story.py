"""What an operation did to the hidden units, in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symmetry.culprit.explanation import Named
from symmetry.culprit.lineage import Parting
from symmetry.culprit.suspect import GIVEN, Foreign, Step, Suspect

_MASKS = ("bernoulli", "dropout")


def named(step: Step) -> Named:
    """Return the name and the place of an operation."""
    return Named(step.name, str(step.place), step.place.source, step.place.during)


def cause(suspect: Suspect, name: str) -> str:
    """Say what the operation did to the units."""
    if suspect.kind == "random":
        drawn = "" if any(word in name for word in _MASKS) else ", or noise"
        return f"it draws random numbers that differ between the hidden units: a random mask{drawn}"
    if suspect.kind == "operand":
        listed = " and ".join(str(foreign.position + 1) for foreign in suspect.foreign)
        many = len(suspect.foreign) > 1
        return (
            "it brings values that are the same for all like hidden units together with "
            f"operand{'s' * many} {listed}, which differ{'' if many else 's'} between them"
        )
    if suspect.kind == "write":
        return f"it writes into {_units(suspect)} of an array whose hidden units were the same"
    return "its operands are the same for like hidden units, its result is not"


def _units(suspect: Suspect) -> str:
    touched = suspect.touched
    if touched is None:
        return "a part"
    if not touched:
        return "entries that belong to no unit"
    count = suspect.layout.axes[0].count
    if len(touched) == count:
        return "some entries of all hidden units"
    if len(touched) == 1:
        return f"unit {min(touched)} alone"
    return f"{len(touched)} of the {count} hidden units"


def remarks(steps: Sequence[Step], suspect: Suspect) -> Iterator[str]:
    """Say where an operand comes from that is part of the story."""
    step = steps[suspect.index]
    for foreign in suspect.foreign:
        yield f"operand {foreign.position + 1} {_origin(steps, foreign)}"
    if suspect.kind == "write":
        for position, maker in enumerate(step.makers):
            if position not in step.written and maker is not None and maker != GIVEN:
                yield f"what it writes was made by {at(steps[maker])}"


def _origin(steps: Sequence[Step], foreign: Foreign) -> str:
    index = foreign.index
    known = None if index is None or index < 0 else steps[index]
    if foreign.origin == "unseen":
        where = "" if known is None else f", and was first met by {at(known)}"
        if known is not None and index:
            where += f" after {at(steps[index - 1])}"
        return f"comes from code that is not observed{where}"
    if foreign.origin == "part":
        return "is a part of a symmetric array that holds something else than one entry a unit"
    if foreign.origin == "cut":
        where = "" if known is None else f", last written by {at(known)}"
        return f"goes back to an array in which the hidden units cannot be told{where}"
    return "was made by code that is not observed" if known is None else f"was made by {at(known)}"


def at(step: Step) -> str:
    """Name an operation and its place."""
    return f"{step.name} ({step.place})" if step.place.file else step.name


def comment(suspect: Suspect, name: str) -> str:
    """Say in one line what a script about the operation shows."""
    if suspect.kind == "random":
        return f"{name} draws different numbers for different hidden units."
    if suspect.kind == "operand":
        return f"{name} makes equal hidden units different: one operand is not the same."
    if suspect.kind == "write":
        return f"{name} changes only some of the equal hidden units."
    return f"{name}: all hidden units get the same numbers, and not all get the same result."


def parting_cause(parted: Parting, steps: Sequence[Step], units: tuple[int, int]) -> str:
    """Say how an odd unit and a usual one, which were made apart, came to differ."""
    odd, usual = units
    if parted.kind == "alike":
        return (
            f"two calls of it get the same numbers for unit {odd} and for unit {usual} and return "
            "different ones"
        )
    other = at(steps[parted.usual])
    if steps[parted.odd].name == steps[parted.usual].name:
        other += " with other arguments"
    return f"unit {odd} comes out of it, unit {usual} out of {other}"


def parting_comment(parted: Parting, steps: Sequence[Step]) -> str:
    """Say in one line what a script about two such units shows."""
    odd, usual = steps[parted.odd].name, steps[parted.usual].name
    if parted.kind == "alike":
        return f"{odd}: two calls on the same numbers return different ones."
    if odd == usual:
        return f"{odd}: one hidden unit is made with other arguments than another."
    return f"One hidden unit comes out of {odd}, another out of {usual}."
