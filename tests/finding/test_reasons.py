"""Why slices belong to no group, in traces that are written by hand."""

from __future__ import annotations

import numpy as np

from symmetry.finding.coverage import Uncovered
from symmetry.finding.groups import GroupSearch
from symmetry.finding.reasons import Reasons
from symmetry.finding.solver import Solver
from tests.finding.traces import Steps, network, normal, square_error


def uncovered(trace, layers=(), reached=()):
    """Return what belongs to no group."""
    solver = Solver(trace)
    search = GroupSearch(solver, 1e-12, {*trace.leaves}, {}, lambda *_: None)
    groups = search.run()
    said = Reasons(solver, search.unused, {*trace.leaves}, dict(reached), dict(layers))
    return [*said.uncovered(groups)]


def reasons(trace, layers=(), reached=()):
    """Return the reason of each axis that is in no group, by array and axis."""
    return {(u.array, u.axis): (u.size, u.why) for u in uncovered(trace, layers, reached)}


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


def test_where_no_gradient_came_there_is_none():
    reached = {"w0": np.zeros((3, 4), bool), "b0": np.ones(4, bool)}
    assert reasons(network((3, 4, 2)), reached=reached)["w0", 0] == (3, "no gradient")


def test_what_the_loss_does_not_read_has_no_gradient():
    """Attention over a single key gives it all of the weight, whatever the query is."""
    steps = Steps(q=normal(3, 4), k=normal(3, 4), v=normal(3, 5), o=normal(5, 2))
    x = steps.data(normal(6, 1, 3))
    q, k, v = (steps.apply(np.matmul, x, leaf) for leaf in (steps.q, steps.k, steps.v))
    scores = steps.apply(lambda a, b: a @ b.swapaxes(1, 2), q, k)
    weights = steps.apply(lambda s: np.exp(s) / np.exp(s).sum(-1, keepdims=True), scores)
    y = steps.apply(np.matmul, steps.apply(np.matmul, weights, v), steps.o)
    found = reasons(steps.end(steps.apply(square_error, y, steps.data(normal(6, 1, 2, seed=9)))))
    assert found["q", 1] == found["k", 1] == (4, "no gradient")
    assert ("v", 1) not in found


def rows(table, numbers):
    return table[numbers]


def embedded():
    """Return a trace in which three of eight tokens occur, behind two that do not."""
    steps = Steps(table=normal(8, 4), out=normal(4, 2))
    tokens = steps.data(np.array([2, 5, 3, 2, 5, 5]))
    y = steps.apply(np.matmul, steps.apply(rows, steps.table, tokens), steps.out)
    return steps.end(steps.apply(square_error, y, steps.data(normal(6, 2, seed=9))))


def test_tokens_that_do_not_occur_have_no_gradient_and_others_are_fixed_by_the_data():
    reached = np.zeros((8, 4), bool)
    reached[[2, 3, 5]] = True
    by_gradient = uncovered(embedded(), reached={"table": reached})
    assert by_gradient[:2] == [
        Uncovered("table", 0, 5, "no gradient"),
        Uncovered("table", 0, 3, "fixed by the data"),
    ]
    by_loss = uncovered(embedded())[0]  # no more is tried than the first in a row, and the middle
    assert by_loss == Uncovered("table", 0, 3, "no gradient")


def scaled(make_scale, size=16):
    """Return a trace in which a hidden layer is multiplied by a scale that the step makes."""
    steps = Steps(w=normal(3, size), v=normal(size, 2))
    h = steps.apply(np.tanh, steps.apply(np.matmul, steps.data(normal(7, 3)), steps.w))
    h = steps.apply(np.multiply, h, make_scale(steps))
    y = steps.apply(np.matmul, h, steps.v)
    return steps.end(steps.apply(square_error, y, steps.data(normal(7, 2, seed=9))))


def test_a_constant_with_a_number_of_its_own_for_each_unit():
    made = scaled(lambda steps: steps.apply(lambda: np.linspace(1, 1.001, 16)))
    given = scaled(lambda steps: steps.data(np.linspace(1, 1.001, 16)))
    for trace in (made, given):
        found = reasons(trace, layers={"v": (1, 2)})
        assert found["w", 1] == found["v", 0] == (16, "a constant for each")
        assert found["w", 0] == (3, "input")
        assert found["v", 1] == (2, "output")


def test_what_has_the_samples_as_well_is_no_constant():
    found = reasons(scaled(lambda steps: steps.data(normal(7, 16))))
    assert found["w", 1] == (16, "input")
