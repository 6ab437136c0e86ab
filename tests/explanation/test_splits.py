"""The first splits of units that start alike, and exchanges of units that do more than exchange."""

from __future__ import annotations

import numpy as np

from symmetry.explanation.answer import find_splits, unfair_exchange
from symmetry.units.state import Array
from tests.explanation.by_formula import UNITS, ByFormula


def test_the_first_split_is_found_with_the_state_before_it() -> None:
    def late(w: Array) -> Array:
        return w / 2 if w[0] > 0.3 else w * [1, 1, 1, 1, 1, 1.5]

    (split,), compared = find_splits(ByFormula(late), 9)
    assert (split.step, compared, split.array) == (3, 3, "w")
    assert split.before["w"].tolist() == [0.25] * 6
    assert split.difference.groups == "the last 1 of 6"
    assert split.apart > 0.1


def test_nothing_is_found_where_all_units_stay_equal() -> None:
    assert find_splits(ByFormula(lambda w: w / 2), 4) == ([], 4)


def test_the_first_numbers_that_are_not_finite_are_the_last_compared() -> None:
    with np.errstate(over="ignore"):
        assert find_splits(ByFormula(lambda w: w * 1e200), 9) == ([], 2)


def test_a_norm_of_some_units_is_unfair_although_equal_units_stay_equal() -> None:
    def by_four(w: Array) -> Array:
        return w / np.sqrt(np.square(w[:4]).sum())

    found = unfair_exchange(ByFormula(by_four), UNITS, 1)
    assert found is not None
    _, a, b, array = found
    assert array == "w"
    assert {a < 4, b < 4} == {True, False}


def test_a_norm_of_all_units_is_fair() -> None:
    watched = ByFormula(lambda w: w / np.sqrt(np.square(w).sum()))
    assert unfair_exchange(watched, UNITS, 1) is None
