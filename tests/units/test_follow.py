"""Following a run until clones split."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.units.follow import Follower
from symmetry.units.units import Part, Units

UNITS = Units("units", 4, (Part("a", axis=1), Part("b", axis=0, first=1)))


def state(value=0.0, dtype="float64"):
    return {"a": np.full((2, 4), value, dtype), "b": np.full((5, 3), value, dtype)}


def test_clones_that_move_together():
    follower = Follower(UNITS, state())
    assert follower.clones
    assert not follower.moved
    follower.see(1, state())
    assert not follower.moved
    follower.see(2, state(1.5))
    assert (follower.moved, follower.steps, follower.max_ulps) == (True, 2, 0)
    assert follower.groups == ((0, 1, 2, 3),)
    assert follower.split is None


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_split_names_units_entries_and_distances(dtype):
    follower = Follower(UNITS, state(dtype=dtype))
    after = state(1, dtype)
    after["b"][3, 1] = 1.5  # unit 2
    after["b"][4, 2] = np.nextafter(after["b"][4, 2], after["b"].dtype.type(2))  # unit 3
    follower.see(1, state(1, dtype))
    follower.see(2, after)
    split = follower.split
    assert (split.step, split.array, split.units) == (2, "b", (2, 0))
    assert split.entries == ((3, 1), (1, 1))
    assert split.groups == ((0, 1), (2,), (3,))
    assert split.ulps == follower.max_ulps == 1 / 2 / np.finfo(dtype).eps
    assert split.relative == pytest.approx(1 / 3)
    assert follower.groups == split.groups


def test_the_first_split_stays_and_the_groups_go_on():
    follower = Follower(UNITS, state())
    one, two = state(1), state(2)
    one["a"][0, 3] = 1.25
    two["a"][1, 0] = 7
    follower.see(1, one)
    follower.see(2, two)
    follower.see(3, state(3))
    assert follower.split.step == 1
    assert follower.split.units == (3, 0)
    assert follower.groups == ((0, 1, 2, 3),)
    assert follower.steps == 3


def test_only_units_that_started_as_clones_are_compared():
    start = state()
    start["a"][0] = [1, 2, 1, 2]
    follower = Follower(UNITS, start)
    follower.see(1, state(3))
    assert follower.split is None
    assert follower.groups == ((0, 2), (1, 3))
    apart = state(3)
    apart["a"][1, 3] = 4
    follower.see(2, apart)
    assert follower.split.units == (3, 1)
    assert follower.split.groups == ((1,), (3,))
    assert follower.groups == ((0, 2), (1,), (3,))


def test_units_that_are_told_to_be_clones():
    start = state()
    start["a"][0] = [1, 2, 3, 4]
    follower = Follower(UNITS, start, [range(4)])
    follower.see(1, start)
    assert follower.groups == ((0,), (1,), (2,), (3,))
    assert follower.split.step == 1


def test_no_clones():
    start = state()
    start["a"][0] = [1, 2, 3, 4]
    follower = Follower(UNITS, start)
    assert not follower.clones
    follower.see(1, state(5))
    assert (follower.split, follower.moved) == (None, False)


def test_the_first_state_that_is_not_finite_is_the_last_one_compared():
    follower = Follower(UNITS, state())
    infinite = state(np.inf)
    follower.see(1, infinite)
    apart = state()
    apart["a"][0, 0] = 1
    follower.see(2, apart)
    assert (follower.steps, follower.split, follower.moved) == (1, None, False)
    follower = Follower(UNITS, state())
    infinite["a"][0, 1] = 0
    follower.see(1, infinite)
    assert follower.split.units == (1, 0)
