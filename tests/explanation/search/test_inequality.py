from __future__ import annotations

import numpy as np
import pytest

from symmetry.explanation.search.inequality import Inequality, UnitEntries, apart, roundings
from symmetry.explanation.search.location import Location, locate

ONE = np.array([1.0, 2.0])


@pytest.fixture
def location() -> Location:
    found = locate(np.array([1.0, 2.0, 3.0]), np.array([2.0, 1.0, 3.0]), 0)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("other", "far"),
    [
        ([1.0, 2.5], 0.5),
        ([1.0, np.nan], np.inf),
        ([1.0, -np.inf], np.inf),
        (ONE, 0),
    ],
)
def test_the_largest_difference_counts(other: list[float], far: float) -> None:
    assert apart(ONE, np.array(other)) == far


def test_equal_numbers_are_not_apart_whatever_they_are() -> None:
    odd = np.array([np.nan, np.inf, -0.0])
    assert apart(odd, np.array([np.nan, np.inf, 0.0])) == 0


def test_only_floating_numbers_are_rounded() -> None:
    assert apart(np.array([1]), np.array([1])) == np.inf
    assert roundings(np.dtype(int), np.array([5])) == 0
    assert roundings(np.dtype(np.float32), ONE, -4 * ONE) == 32 * 8 * 2.0**-23


def test_a_jump_is_more_than_rounding(location: Location) -> None:
    assert Inequality("alone", (0, 0), location).jumps
    assert Inequality("differs", (0, 0), location, deviation=2, rounding=1).jumps
    assert not Inequality("differs", (0, 0), location, deviation=1, rounding=1).jumps


def test_a_piece_is_the_same_place_in_another_array() -> None:
    other = np.arange(6.0).reshape(2, 3)
    assert UnitEntries(1, 1, ONE, ONE, 0.0, None).of(other).tolist() == [1, 4]
    whole = UnitEntries(None, 0, ONE, ONE, 0.0, "add").of(other)
    assert (whole == other).all()
    assert whole is not other
