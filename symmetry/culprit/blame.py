"""Which write, or which piece, made some hidden units of an array odd."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from symmetry.culprit.call import Call
from symmetry.culprit.layout import Firsts
from symmetry.culprit.memory import Write
from symmetry.culprit.place import Place
from symmetry.culprit.suspect import Step


def unlike(parts: Sequence[tuple[int, ...]], firsts: Firsts) -> tuple[int, int]:
    """Return an odd unit, and one of a larger group that started like it.

    Parameters
    ----------
    parts
        The groups of equal units.
    firsts
        Of every hidden unit, the first one that starts like it.
    """
    for group in sorted(parts, key=len, reverse=True):
        for other in parts:
            if other is not group and firsts[other[0]] == firsts[group[0]]:
                return other[0], group[0]
    return parts[-1][0], parts[0][0]


def blamed(
    writes: Sequence[Write], steps: Sequence[Step], odd: int, usual: int
) -> tuple[Write, Write | None]:
    """Return the write that made a unit odd, and its counterpart for a usual unit if it has one.

    The two units are compared by the writes that touched them: the first kind of write that only
    one of them received is to blame. If both received the same ones, the values written differ, and
    what made those is a matter of the pair.
    """
    signature = partial(_signature, steps)
    history = {u: [write for write in writes if write.touches(u)] for u in (odd, usual)}
    for unit, other in ((odd, usual), (usual, odd)):
        left = Counter(map(signature, history[other]))
        for write in history[unit]:
            left[signature(write)] -= 1
            if left[signature(write)] < 0:
                return write, None
    if not history[odd]:
        return writes[-1], None
    return history[odd][-1], history[usual][-1]


def touched(writes: Sequence[Write], steps: Sequence[Step], blamed: Write) -> frozenset[int] | None:
    """Return the units that the line of code of one write has touched, None if nobody knows."""
    alike = [w for w in writes if _signature(steps, w) == _signature(steps, blamed)]
    if any(write.units is None for write in alike):
        return None
    return frozenset(unit for write in alike for unit in write.units or ())


def _signature(steps: Sequence[Step], write: Write) -> tuple[str, Place]:
    return steps[write.index].name, steps[write.index].place


def pieces(call: Call, step: Step, odd: int, usual: int) -> tuple[int, int] | None:
    """Return the makers of the operands that became an odd unit and a usual one.

    None if the call does not join its operands, or these two have no makers of their own.
    """
    if call.joined is None:
        return None
    owners: list[int] = []  # of every entry along the joined axis, the operand it comes from
    for position, handle in enumerate(call.operands):
        owners += [position] * (1 if call.stacked else handle.values.shape[call.joined])
    if max(odd, usual) >= len(owners):
        return None
    one, other = (step.makers[owners[unit]] for unit in (odd, usual))
    return None if one is None or other is None or one == other else (one, other)
