"""Units counted."""

from __future__ import annotations

import numpy as np

from symmetry.finding.tally import capacity, modules_without_gradient, units_without_gradient
from symmetry.units.units import Part, Units


def test_slices_in_no_other_group_are_free():
    shapes = {"w": (10, 3), "v": (8,)}
    units = Units("", 4, (Part("w", 0), Part("v", 0)))
    assert capacity(units, [units], shapes) == 8
    assert capacity(units, [units, Units("", 2, (Part("v", 0, 4),))], shapes) == 6


def test_units_without_gradient_are_those_with_none_in_any_part():
    units = Units("", 3, (Part("w", 0), Part("b", 0)))
    reached = {"w": np.array([[True], [False], [False]]), "b": np.array([False, False, True])}
    assert units_without_gradient(units, reached) == (1,)
    assert units_without_gradient(units, {}) == ()


def test_modules_without_gradient_are_the_outermost():
    silent, live = np.zeros(2, bool), np.ones(2, bool)
    reached = {
        "model.head.weight": live,
        "model.pool.fc.weight": silent,
        "model.pool.fc.bias": silent,
        "model.body.0.weight": live,
        "model.body.1.weight": silent,
        "model.frozen.weight": silent,
    }
    trained = {*reached} - {"model.frozen.weight"}
    assert modules_without_gradient(trained, reached) == ("body.1", "pool")
    assert modules_without_gradient(trained, {}) == ()
