"""Counts, distances and groups in words: ``2 steps``, ``1 ulp``, ``even units | odd units``."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np

from symmetry.units.compare import Group

_NAMED = 3  # names in one line
_LONGEST = 60  # characters of a list of groups; longer ones are only counted


def count(number: int, noun: str, plural: str = "") -> str:
    """Return ``1 pixel`` or ``60,000 pixels``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def a_kind(value: object) -> str:
    """Return what kind of thing a value is: ``an int``, ``a tuple`` or ``None``."""
    if value is None:
        return "None"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeioAEIO' else 'a'} {name}"


def layer_name(path: str) -> str:
    """Return the name of a layer: its path in the model, or ``layer 0`` for a number."""
    return f"layer {path}" if path.replace(".", "").isdigit() else path or "the model"


def in_short(names: Sequence[str]) -> str:
    """Return the first of some names, and how many more there are."""
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def in_ulps(distance: int) -> str:
    """Return ``1 ulp`` or ``1,234 ulps``."""
    return count(distance, "ulp")


def groups_in_words(groups: Sequence[Group]) -> str:
    """Say which units form which of disjoint groups, each ascending, in one short phrase."""
    units = sorted(unit for group in groups for unit in group)
    if len(groups) == 1:
        return f"all {len(units)} identical"
    if len(groups) == len(units) > 2:
        return f"all {len(units)} differ"
    if units == list(range(len(units))) and (pattern := _pattern_in_words(groups)):
        return pattern
    text = " | ".join(map(_members_in_words, groups))
    if len(text) <= _LONGEST:
        return text
    largest = max(map(len, groups))
    return f"{len(groups)} groups, the largest of {largest} unit{'s' * (largest > 1)}"


def places_in_words(places: Sequence[int], axis: int) -> str:
    """Return ``rows 9 to 15``: some indices of an axis, ascending."""
    if not places:
        return ""
    noun = {0: "row", 1: "column"}.get(axis, f"index of axis {axis}")
    many = f"{noun}s" if axis < 2 else noun.replace("index", "indices")
    first, last = places[0], places[-1]
    if first == last:
        return f"{noun} {first}"
    if len(places) == last - first + 1:
        return f"{many} {first} to {last}"
    listed = ", ".join(map(str, places[:8])) + (", ..." if len(places) > 8 else "")
    return f"{many} {listed}"


def _pattern_in_words(groups: Sequence[Group]) -> str | None:
    """Recognise groups of all units that follow from a unit's number."""
    hidden, number = sum(map(len, groups)), len(groups)
    if number == hidden:
        return None
    size = min(groups[1])  # of a block
    if _follow(groups, lambda unit: unit % number):
        if number > 2:
            return f"{number} groups, each of every {_ordinal(number)} unit"
        if hidden > 3:
            return "even units | odd units"
    if number == 2:
        alternating = _follow(groups, lambda unit: unit // size % 2)
        text = f"alternating blocks of {size}" if alternating else None
        return _smaller_in_words(groups, hidden) or text
    if size > 1 and _follow(groups, lambda unit: unit // size):
        last = len(groups[-1])
        return f"{number} blocks of {size}" + (f", the last of {last}" if last < size else "")
    return None


def _follow(groups: Sequence[Group], kind: Callable[[int], int]) -> bool:
    """Return whether the units of each group, and only those, are of one kind."""
    kinds = [{kind(unit) for unit in group} for group in groups]
    return all(len(each) == 1 for each in kinds) and len(set.union(*kinds)) == len(groups)


def _smaller_in_words(groups: Sequence[Group], hidden: int) -> str | None:
    """Describe two groups by the smaller one: the last ones, the first ones, every fourth."""
    first, second = groups
    small = min(first, second, key=len)
    for group in (second, first) if len(first) == len(second) else (small,):
        if group == tuple(range(hidden - len(group), hidden)):
            return f"the last {len(group)} of {hidden}"
        if group == tuple(range(len(group))):
            return f"the first {len(group)} of {hidden}"
    if len(small) == 1:
        return f"unit {small[0]} alone"
    step = _step(small)
    if step > 1 and len(small) > 2 and small[0] < step and small[-1] + step >= hidden:
        return f"every {_ordinal(step)} unit from {small[0]}"
    return None


def _members_in_words(group: Group) -> str:
    """List units: single numbers, and ranges of three or more; or the even ones of a range."""
    if len(group) == 1:
        return f"unit {group[0]}"
    step = _step(group)
    if step == 2 and len(group) > 2:
        return f"{'odd' if group[0] % 2 else 'even'} units {group[0]}-{group[-1]}"
    if step > 2 and len(group) > 3:
        return f"every {_ordinal(step)} unit from {group[0]} to {group[-1]}"
    pieces = np.split(group, np.flatnonzero(np.diff(group) > 1) + 1)
    return "units " + ", ".join(
        f"{piece[0]}-{piece[-1]}" if len(piece) > 2 else ", ".join(map(str, piece))
        for piece in pieces
    )


def _step(group: Group) -> int:
    """Return the common distance of neighbours, or 0 if they have different ones."""
    steps = {b - a for a, b in pairwise(group)}
    return steps.pop() if len(steps) == 1 else 0


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
