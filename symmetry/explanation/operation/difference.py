"""The difference between the units in a result, and its size, in words."""

from __future__ import annotations

import numpy as np

from symmetry.explanation.explained import Difference
from symmetry.explanation.operation.captured import CapturedOperation
from symmetry.explanation.operation.layout import Layout
from symmetry.units import compare
from symmetry.units.words import groups_in_words


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
