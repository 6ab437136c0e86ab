"""Counts, distances and groups in words: ``2 steps``, ``1 ulp``, ``even units | odd units``."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from symmetry.units.compare import Group

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


def in_ulps(distance: int) -> str:
    """Return ``1 ulp`` or ``1,234 ulps``."""
    return count(distance, "ulp")


def in_steps(number: int) -> str:
    """Return ``one step`` or ``2 steps``."""
    return "one step" if number == 1 else f"{number:,} steps"


def groups_in_words(groups: Sequence[Group]) -> str:
    """Say which units form which group, in one short phrase.

    Parameters
    ----------
    groups
        Disjoint groups of unit numbers, each ascending.
    """
    units = sorted(unit for group in groups for unit in group)
    if len(groups) == 1:
        return f"all {len(units)} identical"
    if len(groups) == len(units) > 2:
        return f"all {len(units)} differ"
    if len(groups) == 2 and units == list(range(len(units))):
        return _two_in_words(*groups)
    return (
        _blocks_in_words(groups)
        or _turns_in_words(groups)
        or _list_in_words(groups)
        or _count_in_words(groups)
    )


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


def _two_in_words(first: Group, second: Group) -> str:
    """Describe two groups of all units by the smaller one, or by their pattern."""
    hidden = len(first) + len(second)
    small = min(first, second, key=len)
    if hidden == 2:
        return "unit 0 | unit 1"
    if _step(first) == 2 and _step(second) == 2:
        return "even units | odd units"
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
    return (
        _alternating_in_words(first, second)
        or _list_in_words((first, second))
        or _count_in_words((first, second))
    )


def _alternating_in_words(first: Group, second: Group) -> str | None:
    """Recognise two groups that take turns, in blocks of one size."""
    size = min(second)
    turns = tuple(u for u in range(len(first) + len(second)) if u // size % 2 == 0)
    return f"alternating blocks of {size}" if turns == first else None


def _blocks_in_words(groups: Sequence[Group]) -> str | None:
    """Recognise more than two contiguous groups of one size, the last perhaps shorter."""
    size = len(groups[0])
    if len(groups) < 3 or size < 2:
        return None
    for number, group in enumerate(groups):
        if group != tuple(range(number * size, number * size + len(group))):
            return None
        if len(group) != size and (group is not groups[-1] or len(group) > size):
            return None
    last = len(groups[-1])
    return f"{len(groups)} blocks of {size}" + (f", the last of {last}" if last < size else "")


def _turns_in_words(groups: Sequence[Group]) -> str | None:
    """Recognise more than two groups that take turns, unit by unit."""
    step, hidden = len(groups), sum(map(len, groups))
    if step < 3 or any(group != tuple(range(k, hidden, step)) for k, group in enumerate(groups)):
        return None
    return f"{step} groups, each of every {_ordinal(step)} unit"


def _list_in_words(groups: Sequence[Group]) -> str | None:
    """List the members of all groups if the list stays short."""
    if len(groups) * len("unit 0") > _LONGEST:
        return None
    text = " | ".join(_members_in_words(group) for group in groups)
    return text if len(text) <= _LONGEST else None


def _members_in_words(group: Group) -> str:
    """List units: single numbers, and ranges of three or more; or the even ones of a range."""
    if len(group) == 1:
        return f"unit {group[0]}"
    step = _step(group)
    if step == 2 and len(group) > 2:
        return f"{'odd' if group[0] % 2 else 'even'} units {group[0]}-{group[-1]}"
    if step > 2 and len(group) > 3:
        return f"every {_ordinal(step)} unit from {group[0]} to {group[-1]}"
    pieces: list[list[int]] = []
    for unit in group:
        if pieces and unit == pieces[-1][-1] + 1:
            pieces[-1].append(unit)
        else:
            pieces.append([unit])
    return "units " + ", ".join(
        f"{piece[0]}-{piece[-1]}" if len(piece) > 2 else ", ".join(map(str, piece))
        for piece in pieces
    )


def _count_in_words(groups: Sequence[Group]) -> str:
    largest = max(map(len, groups))
    return f"{len(groups)} groups, the largest of {largest} unit{'s' if largest > 1 else ''}"


def _step(group: Group) -> int:
    """Return the common distance of neighbours, or 0 where there is none."""
    steps = {b - a for a, b in pairwise(group)}
    return steps.pop() if len(steps) == 1 else 0


def _ordinal(number: int) -> str:
    if number % 100 in (11, 12, 13):
        return f"{number}th"
    return f"{number}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th') }"
