from __future__ import annotations

import numpy as np

from symmetry.explanation.unfair import unfair_exchange
from symmetry.units.state import Array
from tests.explanation.by_formula import UNITS, ByFormula


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
