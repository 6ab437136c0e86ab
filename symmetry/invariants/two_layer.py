"""Where the hidden units of a network with one hidden layer lie."""

from __future__ import annotations

from symmetry.units.compare import Floats


def units_of(matrix: str, weights: Floats) -> Floats:
    """Return the part of ``"w1"`` or ``"w2"`` that belongs to hidden units, one row a unit.

    These are the columns of w1, shape (h, i + 1), and the rows of w2 below the bias, shape (h, c).
    """
    return weights.T if matrix == "w1" else weights[1:]


def entry_of(matrix: str, unit: int, position: int) -> tuple[int, int]:
    """Return the row and column in ``matrix`` of one entry of ``units_of``."""
    return (position, unit) if matrix == "w1" else (unit + 1, position)
