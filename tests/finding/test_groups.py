"""From exchanges to groups, in traces that are written by hand: no framework is needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmetry.finding.exchange.propagation import Stuck
from symmetry.finding.grouping.proof import Proof
from symmetry.finding.groups import GroupSearch
from symmetry.finding.solver import Solver
from symmetry.units.units import Part, Units
from tests.finding.traces import Steps, network, normal, square_error


def searched(trace, received=None):
    """Return a search that has found all groups."""
    search = GroupSearch(Solver(trace), 1e-12, {*trace.leaves}, received or {}, lambda *_: None)
    search.run()
    return search


def example(factors=1.0):
    """Return the trace of the module's example, whose hidden units may be multiplied."""
    steps = Steps(W1=normal(4, 3), b1=normal(4, 1), W2=normal(2, 4))
    h = steps.apply(np.matmul, steps.W1, steps.data(normal(3, 6)))
    total = steps.apply(np.add, h, steps.b1)
    scaled = steps.apply(lambda t: np.tanh(t) * factors, total)
    y = steps.apply(np.matmul, steps.W2, scaled)
    return steps.end(steps.apply(square_error, y, steps.data(normal(2, 6))))


def test_the_example_of_the_module():
    """Each step does what the worked example says, and the answer is the one that it gives."""
    parts = Part("W1", 0), Part("b1", 0), Part("W2", 1)
    trace = example()
    search = GroupSearch(Solver(trace), 1e-12, {"W1", "b1", "W2"}, {}, lambda *_: None)
    assert search.proof.matters(Units("", 2, parts))
    assert search.proof.holds(Units("", 4, parts))
    assert search.run() == [Units("", 4, parts)]
    for name, axis in (("W1", 1), ("W2", 0)):
        with pytest.raises(Stuck):
            Solver(trace).solve({trace.leaves[name]: ((axis, ((0, 1),), ()),)})


def test_the_example_of_the_module_with_an_odd_unit():
    trace = example(np.array([[1.0], [1.0], [2.0], [1.0]]))
    (units,) = searched(trace).groups
    assert [*units.along("W1", 0)] == [*units.along("W2", 1)] == [0, 1, 3]


@settings(max_examples=20)
@given(st.lists(st.integers(2, 6), min_size=3, max_size=5))
def test_each_hidden_layer_is_one_group(sizes):
    assert [units.count for units in searched(network(sizes)).groups] == sizes[1:-1]


def test_a_unit_that_is_unlike_the_others_is_left_out():
    def scaled(hidden):
        return hidden * np.array([1, 1, 3, 1, 1])

    search = searched(network((3, 5, 2), between=lambda h: np.tanh(scaled(h))))
    (units,) = search.groups
    assert units.count == 4
    assert [*units.along("w0", 1)] == [0, 1, 3, 4]


def test_a_unit_whose_statistics_are_forgotten_stays_in_its_group():
    def statistics(mean, hidden):
        ahead = 0.9 * mean + 0.1 * hidden.mean(0)
        ahead[-1] = mean[-1]
        return ahead

    steps = Steps(w=normal(3, 4), mean=np.ones(4), out=normal(4, 2))
    hidden = steps.apply(np.matmul, steps.data(normal(6, 3)), steps.w)
    steps.trace.finals["mean"] = steps.apply(statistics, steps.mean, hidden)
    y = steps.apply(np.matmul, steps.apply(np.tanh, hidden), steps.out)
    search = searched(steps.end(steps.apply(square_error, y, steps.data(normal(6, 2)))))
    assert [units.count for units in search.groups] == [4]
    assert search.proof.excused == {"mean"}


def test_units_of_stacked_experts_are_groups_in_each_expert():
    steps = Steps(inside=normal(2, 3, 4), out=normal(2, 4, 5), router=normal(3, 2))
    x = steps.data(normal(6, 3))
    gates = steps.apply(lambda a, w: 1 / (1 + np.exp(a @ w)), x, steps.router)
    hidden = steps.apply(lambda a, w: np.tanh(a @ w), x, steps.inside)
    each = steps.apply(np.matmul, hidden, steps.out)
    y = steps.apply(lambda g, e: (g.T[:, :, None] * e).sum(0), gates, each)
    search = searched(steps.end(steps.apply(square_error, y, steps.data(normal(6, 5)))))
    inner = [u for u in search.groups if any(part.within for part in u.parts)]
    assert [units.count for units in inner] == [4, 4]
    assert inner[0].parts[0] == Part("inside", axis=2, within=((0, 0, 1),))
    assert [u.count for u in search.groups if u not in inner] == [2]


def test_a_stream_goes_through_experts_that_no_sample_chose():
    steps = Steps(embedding=normal(6, 4), inside=normal(5, 4, 3), out=normal(3, 2))
    stream = steps.apply(lambda e: e[[0, 1, 2, 3, 4, 5, 1, 2]], steps.embedding)
    hidden = steps.apply(lambda s, w: np.tanh(s @ w[2]), stream, steps.inside)
    y = steps.apply(np.matmul, hidden, steps.out)
    search = searched(steps.end(steps.apply(square_error, y, steps.data(normal(8, 2)))))
    stream, hidden = search.groups
    assert stream.parts == (Part("embedding", axis=1), Part("inside", axis=1))
    assert hidden.parts == (Part("inside", axis=2), Part("out", axis=0))


def test_slices_that_the_loss_does_not_depend_on_are_no_units():
    steps = Steps(w=normal(3, 4), out=normal(4, 2), unused=normal(5, 5))
    hidden = steps.apply(np.tanh, steps.apply(np.matmul, steps.data(normal(6, 3)), steps.w))
    y = steps.apply(np.matmul, hidden, steps.out)
    search = searched(steps.end(steps.apply(square_error, y, steps.data(normal(6, 2)))))
    assert [units.arrays for units in search.groups] == [("w", "out")]


def test_statistics_that_hardly_depend_on_units_move_along_with_them():
    gain, variance = "model.norm.weight", "model.norm.variance"
    leaves = {gain: normal(4), variance: 1 + normal(4, seed=1) ** 2}
    steps = Steps(w=normal(3, 4), out=normal(4, 2), **leaves)
    hidden = steps.apply(lambda x, w: 1e-7 * x @ w, steps.data(normal(6, 3)), steps.w)
    steps.trace.finals[variance] = steps.apply(
        lambda v, h: 0.9 * v + 0.1 * h.var(0), getattr(steps, variance), hidden
    )
    scaled = steps.apply(lambda h, g: np.tanh(h / h.std(0) * g), hidden, getattr(steps, gain))
    y = steps.apply(np.matmul, scaled, steps.out)
    (units,) = searched(steps.end(steps.apply(square_error, y, steps.data(normal(6, 2))))).groups
    assert units.count == 4
    assert {*units.arrays} == {"w", gain, variance, "out"}


def test_slices_that_receive_a_gradient_matter_without_a_proof(monkeypatch):
    trace, tried, matters = example(), [], Proof.matters

    def noted(proof, units):
        tried.append(units)
        return matters(proof, units)

    monkeypatch.setattr(Proof, "matters", noted)
    received = {name: np.ones(trace.arrays[i].shape, bool) for name, i in trace.leaves.items()}
    silent = {**received, "W1": np.zeros((4, 3), bool)}
    groups = searched(trace).groups
    assert [units.count for units in tried] == [2, 1, 1, 1]  # the group, inputs, outputs
    tried.clear()
    assert searched(trace, received).groups == groups
    assert [units.count for units in tried] == [2]
    tried.clear()
    assert searched(trace, silent).groups == groups
    assert [units.count for units in tried] == [2, 1, 1]
