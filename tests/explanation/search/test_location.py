"""Where two exchanged units are in an array."""

from __future__ import annotations

import numpy as np

from symmetry.explanation.search.location import locate
from symmetry.units.state import Array

RANDOM = np.random.default_rng(0)


def exchanged(array: Array, axis: int, i: int, j: int) -> Array:
    order = np.arange(array.shape[axis])
    order[[i, j]] = j, i
    return array.take(order, axis)


def test_units_along_an_axis() -> None:
    s = RANDOM.normal(size=(4, 7, 3))
    spot = locate(s, exchanged(s, 1, 2, 5), 3)
    assert spot is not None
    assert (spot.kind, spot.axis, spot.i, spot.j, spot.fits) == ("axis", 1, 2, 5, True)
    one, other = spot.sides(s)
    assert (one == s[:, 2]).all()
    assert (other == s[:, 5]).all()


def test_an_array_without_units() -> None:
    s = RANDOM.normal(size=(4, 7))
    assert locate(s, s, 1) is None
    assert locate(s, s * (1 + 1e-12), 1) is None


def test_contents_that_do_not_fit() -> None:
    s = RANDOM.normal(size=(4, 7))
    t = exchanged(s, 1, 2, 5)
    t[:, 2] *= 1.01
    spot = locate(s, t, 3)
    assert spot is not None
    assert (spot.kind, spot.axis, spot.fits) == ("axis", 1, False)


def test_units_along_two_axes_and_in_blocks() -> None:
    s = RANDOM.normal(size=(6, 6))
    both = exchanged(exchanged(s, 0, 1, 4), 1, 1, 4)
    blocks = s[[2, 3, 0, 1, 4, 5]]
    for t in (both, blocks):
        spot = locate(s, t, 3)
        assert spot is not None
        assert spot.kind == "entries"
        assert (s.ravel()[spot.j] == t.ravel()[spot.i]).all()


def test_blocks_with_many_zeros() -> None:
    s = np.maximum(RANDOM.normal(size=(3, 6, 5)), 0)
    spot = locate(s, s[:, [4, 5, 2, 3, 0, 1]], 2)
    assert spot is not None
    assert spot.kind == "entries"


def test_one_unit_alone() -> None:
    s = RANDOM.normal(size=(4, 7))
    t = s.copy()
    t[:, 3] += 1
    spot = locate(s, t, 3)
    assert spot is not None
    assert (spot.kind, spot.axis, spot.i) == ("alone", 1, 3)
    whole = locate(s, s + 1, 3)
    assert whole is not None
    assert (whole.kind, whole.axis) == ("alone", -1)


def test_numbers_that_are_not_finite() -> None:
    s = np.array([1.0, np.nan, np.inf, 4.0])
    assert locate(s, s.copy(), 1) is None
    spot = locate(s, s[[0, 2, 1, 3]], 1)
    assert spot is not None
    assert (spot.kind, spot.i, spot.j) == ("axis", 1, 2)
