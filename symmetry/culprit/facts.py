"""What there is to say about one operation: its arrays and how far their units are apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from symmetry.culprit.explanation import Asymmetry, Operand
from symmetry.culprit.layout import Firsts, Layout, alike, groups, make_alike
from symmetry.units import compare
from symmetry.units.words import groups_in_words

Array = NDArray[Any]


def operand(
    values: Array,
    layout: Layout | None,
    firsts: Firsts,
    *,
    dtype: str = "",
    written: bool = False,
    overwritten: bool = False,
) -> Operand:
    """Describe an array, whose dtype may have another name in its own library."""
    strides = tuple(stride // values.itemsize for stride in values.strides)
    return Operand(
        dtype or values.dtype.name,
        values.shape,
        strides,
        _memory(values),
        "" if overwritten else _units(values, layout, firsts),
        written,
    )


def asymmetry(values: Array, layout: Layout, firsts: Firsts) -> Asymmetry:
    """Say which units differ, and by how much."""
    expected = make_alike(values, layout, firsts)
    differ = ~compare.equal(values, expected)
    values_apart, expected_apart = values[differ], expected[differ]
    parts = groups(values, layout) if len(layout.axes) == 1 else ()
    return Asymmetry(
        _in_words(parts, firsts) if parts else "pairs of units",
        _ulps(values_apart, expected_apart),
        _relative(values_apart, expected_apart),
    )


def _memory(values: Array) -> str:
    if values.flags.c_contiguous:
        return "contiguous"
    return "transposed" if values.flags.f_contiguous else "strided"


def _units(values: Array, layout: Layout | None, firsts: Firsts) -> str:
    if layout is None:
        return "no hidden units"
    if len(layout.axes) == 2:
        where = "hidden units along axes {} and {}".format(*(axis.number for axis in layout.axes))
    else:
        (axis,) = layout.axes
        where = f"hidden units along axis {axis.number}"
        if axis.before:
            where += f" from entry {axis.before}"
        if not axis.whole:
            where = f"some hidden units along axis {axis.number}"
    if not alike(values, layout, firsts):
        return f"{where}, which differ"
    return f"{where}, all the same" if not firsts.any() else f"{where}, like ones the same"


def _in_words(parts: tuple[tuple[int, ...], ...], firsts: Firsts) -> str:
    """Name the groups of units that should be one."""
    if not firsts.any() or len(firsts) < sum(map(len, parts)):
        return groups_in_words(parts)
    split = []
    for first in dict.fromkeys(firsts.tolist()):
        of_class = [part for part in parts if firsts[part[0]] == first]
        if len(of_class) > 1:
            split.append(groups_in_words(of_class))
    return "; ".join(split)


def _ulps(values: Array, expected: Array) -> int | None:
    if values.dtype not in (np.float32, np.float64):
        return None
    return compare.max_ulps(values, expected)


def _relative(values: Array, expected: Array) -> float:
    if values.dtype.kind == "c":
        values, expected = abs(values - expected), abs(values - values)
    return compare.max_relative(values.astype(np.float64), expected.astype(np.float64))


def identical(a: Array, b: Array) -> bool:
    """Return whether two arrays hold the same numbers."""
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())
