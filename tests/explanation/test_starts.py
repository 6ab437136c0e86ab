from __future__ import annotations

import numpy as np

from symmetry.explanation.starts import nudged, with_different
from symmetry.units.units import Part, Units

UNITS = Units("units", 4, (Part("w1", axis=1), Part("w2", axis=0, first=1)))
STATE = {"w1": np.zeros((3, 4), np.float32), "w2": np.ones((5, 2)), "n": np.arange(3)}


def test_some_units_become_different_and_no_others() -> None:
    new = with_different(STATE, UNITS, [1, 3], lambda _: 0.1, 0)
    assert UNITS.groups(new) == ((0, 2), (1,), (3,))
    assert (new["w2"] > 0).all()  # as variances have to be
    assert (new["w2"][0] == 1).all()
    assert not STATE["w1"].any()
    assert new["w1"].dtype == np.float32


def test_every_number_is_moved_by_one_ulp_but_discrete_ones() -> None:
    w2 = np.linspace(1.1, 1.9, 10).reshape(5, 2)
    moved = nudged({**STATE, "w2": w2}, 0)
    assert not moved["w1"].any()
    assert set(np.abs(moved["w2"] - w2).ravel()) == {np.spacing(1.0)}
    assert moved["n"] is STATE["n"]
