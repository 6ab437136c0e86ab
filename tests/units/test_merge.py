"""Copies where groups of units overlap: what they make equal is equal."""

from __future__ import annotations

import numpy as np

from symmetry.units.merge import merged, sources
from symmetry.units.units import Part, Units

ROWS = Units("rows", 3, (Part("w", 0),))
COLUMNS = Units("columns", 2, (Part("w", 1), Part("v", 0)))
STATE = {
    "w": np.arange(6.0, dtype=np.float32).reshape(3, 2),
    "v": np.array([7.0, 8.0]),
    "rest": np.array([9.0]),
}


def test_one_pair_takes_the_entries_of_the_first():
    found = sources([(ROWS, 0, 2)], STATE)
    assert found.keys() == {"w"}
    assert found["w"].tolist() == [[0, 1], [2, 3], [0, 1]]


def test_pairs_that_overlap_are_joined_through_each_other():
    found = sources([(ROWS, 0, 2), (COLUMNS, 0, 1)], STATE)
    assert found["w"].tolist() == [[0, 0], [2, 2], [0, 0]]
    assert found["v"].tolist() == [6, 6]  # numbered on from w
    chain = sources([(ROWS, 1, 2), (ROWS, 0, 1)], STATE)
    assert chain["w"].tolist() == [[0, 1]] * 3


def test_a_merged_state_keeps_dtypes_and_what_has_no_units():
    pairs = [(ROWS, 0, 2), (COLUMNS, 0, 1)]
    new = merged(STATE, sources(pairs, STATE))
    assert new["w"].tolist() == [[0, 0], [2, 2], [0, 0]]
    assert new["w"].dtype == np.float32
    assert new["v"].tolist() == [7, 7]
    assert new["rest"] is STATE["rest"]
    for units, a, b in pairs:  # they are clones
        swapped = units.swapped(new, a, b)
        assert all(np.array_equal(swapped[name], new[name]) for name in new)
