"""How units that were made one by one, or in blocks, came to differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from numpy.typing import NDArray

from symmetry.culprit.snapshot import Snapshot
from symmetry.culprit.suspect import Step

_MOST_GENERATIONS = 20

Array = NDArray[Any]


class Parting(NamedTuple):
    """Where the ways of an odd unit and of a usual one part.

    Attributes
    ----------
    kind
        *alike*: two calls of one operation get the same numbers and return different ones.
        *unlike*: the two units come out of different operations, or of one with other arguments.
    odd, usual
        Numbers of the two operations.
    """

    kind: Literal["alike", "unlike"]
    odd: int
    usual: int


def ancestors(steps: Sequence[Step], pair: tuple[int, int]) -> list[tuple[int, int]]:
    """Return the pair, the operations that made their operands, and so on.

    The way ends where the two operations have different names, or the same origins.
    """
    pairs = [pair]
    while len(pairs) < _MOST_GENERATIONS:
        odd, usual = (steps[index] for index in pairs[-1])
        if odd.name != usual.name:
            break
        found = [
            (one, other)
            for position, (one, other) in enumerate(zip(odd.makers, usual.makers, strict=False))
            if one != other and one is not None and other is not None
            if position not in odd.written and one >= 0 and other >= 0
        ]
        if not found:
            break
        pairs.append(found[0])
    return pairs


def parting(
    steps: Sequence[Step], pairs: Sequence[tuple[int, int]], snapshots: Mapping[int, Snapshot]
) -> Parting | None:
    """Return where the two ways part, looking from the oldest pair to the youngest."""
    for odd, usual in reversed(pairs):
        if steps[odd].name != steps[usual].name:
            return Parting("unlike", odd, usual)
        one, other = snapshots[odd], snapshots[usual]
        operands = zip(one.arrays()[0], other.arrays()[0], strict=False)
        if not all(_agree(a, b) for a, b in operands):
            continue
        if not all(_agree(a, b) for a, b in zip(one.results, other.results, strict=False)):
            return Parting("alike" if _same_call(one, other) else "unlike", odd, usual)
    return None


def _same_call(one: Snapshot, other: Snapshot) -> bool:
    """Return whether two calls differ in their arrays only, as far as they can be written down."""
    names = [f"operand_{number}" for number in range(len(one.operands))]
    return len(other.operands) == len(names) and (
        one.operation.write(names) == other.operation.write(names)
    )


def _agree(a: Array, b: Array) -> bool:
    """Return whether two arrays, or two blocks of different length, hold the same numbers.

    Blocks agree if both repeat one and the same entry along the axis in which they differ.
    """
    if a.ndim != b.ndim:
        return False
    for axis, (length, other) in enumerate(zip(a.shape, b.shape, strict=True)):
        if length != other:
            first, second = a.take([0], axis=axis), b.take([0], axis=axis)
            if not (_equal(a, first) and _equal(b, second)):
                return False
            a, b = first, second
    return _equal(a, b)


def _equal(a: Array, b: Array) -> bool:
    return bool(((a == b) | ((a != a) & (b != b))).all())
