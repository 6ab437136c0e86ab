"""Ranges on the command line: ``hidden=1..64``, ``rate=1e-5..1``, ``batch=1,2,3,16``."""

from __future__ import annotations

import math
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from symmetry.base.errors import SymmetryError
from symmetry.targets.sizes.arguments import value_of

_VALUES = 100  # of a range of floats: with few digits, so that they can be typed
_FAR = 100  # a range of floats whose ends differ by this factor is logarithmic


def strategy_of(name: str, text: str) -> SearchStrategy[Any]:
    """Return the strategy that a range or a list of words stands for.

    Raises
    ------
    SymmetryError
        If it is empty, or its ends are no numbers.
    """
    low, dots, high = text.partition("..")
    if dots:
        return _range(name, text, _number(name, low), _number(name, high))
    values = [value_of(word.strip()) for word in text.split(",")]
    if "" in values:
        raise SymmetryError(f"{name}={text}: give a range such as 1..64, or values such as 1,2,16")
    return st.sampled_from(values)


def _range(name: str, text: str, low: float, high: float) -> SearchStrategy[Any]:
    if low > high:
        raise SymmetryError(f"{name}={text} is an empty range: {low} is larger than {high}")
    if isinstance(low, int) and isinstance(high, int):
        return st.integers(low, high)
    shares = [share / _VALUES for share in range(1, _VALUES)]
    if low > 0 and high / low >= _FAR:
        inner = [float(f"{low * (high / low) ** share:.2g}") for share in shares]
    else:
        inner = [float(f"{low + (high - low) * share:.3g}") for share in shares]
    within = {value for value in inner if low < value < high}
    return st.sampled_from(sorted({float(low), *within, float(high)}))


def _number(name: str, text: str) -> float:
    value = value_of(text)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise SymmetryError(f"{name}: {text!r} is no number; a range is LOW..HIGH, such as 1..64")
    return value
