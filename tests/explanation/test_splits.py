from __future__ import annotations

import numpy as np

from symmetry.explanation.splits import find_splits
from symmetry.units.state import Array
from tests.explanation.by_formula import ByFormula


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
