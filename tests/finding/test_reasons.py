"""Why slices belong to no group, in traces that are written by hand."""

from __future__ import annotations

import numpy as np

from symmetry.finding.groups import Groups
from symmetry.finding.reasons import idle, room, uncovered
from symmetry.finding.solver import Solver
from symmetry.units.units import Part, Units
from tests.finding.traces import Steps, network, normal, square_error


def reasons(trace):
    """Return the reason of each axis that is in no group, by array and axis."""
    solver = Solver(trace)
    search = Groups(solver, 1e-12, {*trace.leaves}, lambda *_: None)
    found = uncovered(search.find(), solver, search.failures, {*trace.leaves})
    return {(u.array, u.axis): (u.size, u.why) for u in found}


def test_inputs_and_outputs():
    assert reasons(network((3, 4, 2))) == {
        ("w0", 0): (3, "input"),
        ("w1", 1): (2, "output"),
        ("b1", 0): (2, "output"),
    }


def test_what_the_loss_does_not_depend_on_and_a_single_slice():
    steps = Steps(w=normal(3, 1), unused=normal(3))
    y = steps.apply(np.matmul, steps.data(normal(5, 3)), steps.w)
    found = reasons(steps.end(steps.apply(square_error, y, steps.data(normal(5, 1)))))
    assert found["w", 1] == (1, "a single slice")
    assert found["unused", 0] == (3, "no gradient")


def test_there_is_room_for_what_no_other_group_takes():
    shapes = {"w": (10, 3), "v": (8,)}
    units = Units("", 4, (Part("w", 0), Part("v", 0)))
    assert room(units, [units], shapes) == 8
    assert room(units, [units, Units("", 2, (Part("v", 0, 4),))], shapes) == 6


def test_units_are_idle_that_no_gradient_reaches():
    units = Units("", 3, (Part("w", 0), Part("b", 0)))
    reached = {"w": np.array([[True], [False], [False]]), "b": np.array([False, False, True])}
    assert idle(units, reached) == (1,)
    assert idle(units, {}) == ()
