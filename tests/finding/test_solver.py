"""Completing exchanges in traces that are written by hand: no framework is needed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.finding.exchange.actions import LABELS
from symmetry.finding.exchange.candidates import Candidates
from symmetry.finding.exchange.operations import Operations
from symmetry.finding.exchange.propagation import ExchangeBudget, Stuck
from symmetry.finding.solver import Pullback, Solver
from tests.finding.traces import Steps, network, normal, square_error

ROWS = ((0, ((0, 1),), ()),)
COLUMNS = ((1, ((0, 1),), ()),)


def pullback(trace):
    operations, budget = Operations(trace), ExchangeBudget()
    budget.begin_exchange()
    return Pullback(operations, Candidates(operations), budget), budget


def sums():
    """Return a trace, and two of its values: the transposed sum of two leaves, and its tanh."""
    steps = Steps(w=normal(3, 4), b=normal(4))
    turned = steps.apply(np.transpose, steps.apply(np.add, steps.w, steps.b))
    bent = steps.apply(np.tanh, turned)
    return steps.end(steps.apply(np.sum, bent)), turned, bent


def test_an_action_is_pulled_back_through_several_operations():
    trace, _, bent = sums()
    one, _ = pullback(trace)
    assert one.leaves({bent: ROWS}, {}) == {trace.leaves["w"]: COLUMNS, trace.leaves["b"]: ROWS}


def test_an_action_that_is_there_asks_for_nothing():
    trace, turned, _ = sums()
    one, budget = pullback(trace)
    before = budget.work
    assert one.leaves({turned: ROWS}, {turned: ROWS}) == {}
    assert budget.work == before


def test_data_carry_an_action_if_they_are_symmetric():
    steps = Steps(w=normal(3, 4))
    data, ones = steps.data(normal(3)), steps.data(np.ones(3))
    trace = steps.end(steps.apply(np.sum, steps.w))
    one, _ = pullback(trace)
    assert one.leaves({data: ROWS}, {}) is None
    assert one.leaves({ones: ROWS}, {}) == {}


def test_failures_are_kept():
    steps = Steps(w=normal(3, 4))
    scaled = steps.apply(lambda w: w * np.arange(1, 5), steps.w)
    trace = steps.end(steps.apply(np.sum, scaled))
    one, budget = pullback(trace)
    assert one.leaves({scaled: COLUMNS}, {}) is None
    used = budget.work
    assert one.leaves({scaled: COLUMNS}, {}) is None
    assert budget.work == used


def test_a_request_ends_with_its_budget_and_is_tried_again_with_a_larger_one():
    trace, _, bent = sums()
    one, budget = pullback(trace)
    budget.work = 2
    assert one.leaves({bent: ROWS}, {}) is None
    budget.begin_exchange()
    assert one.leaves({bent: ROWS}, {}) is not None


def exchanged(axis, i=0, j=1, block=1):
    """Return the exchange of two slices, or of two blocks of them."""
    return ((axis, tuple((i * block + n, j * block + n) for n in range(block)), ()),)


def solved(trace, name, action):
    solution, _ = Solver(trace).solve({trace.leaves[name]: action})
    return solution


def test_the_example_of_the_module():
    """Each node does what the worked example says, and the answer is the one that it gives."""
    steps = Steps(W1=normal(4, 3), b1=normal(4, 1), W2=normal(2, 4))
    h = steps.apply(np.matmul, steps.W1, steps.data(normal(3, 6)))
    total = steps.apply(np.add, h, steps.b1)
    y = steps.apply(np.matmul, steps.W2, steps.apply(np.tanh, total))
    trace = steps.end(steps.apply(square_error, y, steps.data(normal(2, 6))))
    solver, rows, columns = Solver(trace), exchanged(0), exchanged(1)
    forward = solver.operations.forward
    assert forward(0, (rows, ())) == [rows]
    assert forward(1, (rows, ())) is None
    assert solver.operations.tied_axes(1, 0, 0) == {0: 0, 1: 0, -1: 0}
    assert forward(1, (rows, rows)) == [rows]
    assert forward(2, (rows,)) == [rows]
    assert forward(3, ((), rows)) is None
    assert forward(3, (columns, rows)) == [()]
    answer = {"W1": rows, "b1": rows, "W2": columns}
    assert solver.solve({steps.W1: rows}) == (answer, False)


@given(st.lists(st.integers(2, 6), min_size=3, max_size=5), st.data())
def test_a_hidden_unit_lies_in_its_column_its_bias_and_the_next_layers_row(sizes, data):
    layer = data.draw(st.integers(0, len(sizes) - 3))
    i, j = sorted(data.draw(st.permutations(range(sizes[layer + 1])))[:2])
    for name, axis in ((f"w{layer}", 1), (f"b{layer}", 0), (f"w{layer + 1}", 0)):
        assert solved(network(sizes), name, exchanged(axis, i, j)) == {
            f"w{layer}": exchanged(1, i, j),
            f"b{layer}": exchanged(0, i, j),
            f"w{layer + 1}": exchanged(0, i, j),
        }


def test_an_exchange_is_stuck_at_the_operation_that_knows_the_unit():
    def scaled(hidden):
        return hidden * np.linspace(1, 2, hidden.shape[1])

    trace = network((3, 4, 2), between=scaled)
    with pytest.raises(Stuck) as caught:
        solved(trace, "w0", exchanged(1))
    assert caught.value.node == 2
    assert caught.value.input_actions == (exchanged(1),)


@pytest.mark.parametrize(("name", "axis"), [("w0", 0), ("w1", 1), ("b1", 0)])
def test_inputs_and_outputs_are_fixed_by_the_data(name, axis):
    with pytest.raises(Stuck):
        solved(network((3, 4, 2)), name, exchanged(axis))


def test_a_gate_and_its_value_are_exchanged_together():
    steps = Steps(gate=normal(3, 4), inside=normal(3, 4, seed=1), out=normal(4, 2))
    x = steps.data(normal(6, 3))
    gate = steps.apply(lambda z: 1 / (1 + np.exp(-z)), steps.apply(np.matmul, x, steps.gate))
    hidden = steps.apply(np.multiply, gate, steps.apply(np.matmul, x, steps.inside))
    y = steps.apply(np.matmul, hidden, steps.out)
    trace = steps.end(steps.apply(square_error, y, steps.data(normal(6, 2))))
    both = {"gate": exchanged(1, 1, 3), "inside": exchanged(1, 1, 3), "out": exchanged(0, 1, 3)}
    assert solved(trace, "gate", exchanged(1, 1, 3)) == both


def test_heads_are_blocks():
    steps = Steps(inside=normal(3, 6), out=normal(6, 2))
    x = steps.apply(np.matmul, steps.data(normal(5, 3)), steps.inside)
    heads = steps.apply(lambda a: a.reshape(5, 2, 3), x)
    mixed = steps.apply(lambda a: np.exp(a) / np.exp(a).sum(-1, keepdims=True), heads)
    joined = steps.apply(lambda a: a.reshape(5, 6), mixed)
    y = steps.apply(np.matmul, joined, steps.out)
    trace = steps.end(steps.apply(square_error, y, steps.data(normal(5, 2))))
    whole = {"inside": exchanged(1, block=3), "out": exchanged(0, block=3)}
    found = Solver(trace).pulled_back(heads, exchanged(1))
    assert found == {steps.inside: whole["inside"]}
    assert Solver(trace).solve(found) == (whole, False)


def test_a_buffer_that_is_written_from_units_moves_with_them():
    steps = Steps(w=normal(3, 4), mean=np.zeros(4), out=normal(4, 2))
    hidden = steps.apply(np.matmul, steps.data(normal(6, 3)), steps.w)
    ahead = steps.apply(lambda m, h: 0.9 * m + 0.1 * h.mean(0), steps.mean, hidden)
    y = steps.apply(np.matmul, steps.apply(np.tanh, hidden), steps.out)
    steps.trace.finals["mean"] = ahead
    trace = steps.end(steps.apply(square_error, y, steps.data(normal(6, 2))))
    moved = solved(trace, "w", exchanged(1))
    assert moved == {"w": exchanged(1), "mean": exchanged(0), "out": exchanged(0)}


def test_units_that_a_step_chooses_between_change_labels():
    steps = Steps(router=normal(3, 4), values=normal(4, 2))
    scores = steps.apply(np.matmul, steps.data(normal(9, 3)), steps.router)
    chosen = steps.apply(lambda s: s.argmax(1), scores)
    y = steps.apply(lambda v, c: v[c], steps.values, chosen)
    trace = steps.end(steps.apply(square_error, y, steps.data(normal(9, 2))))
    solver = Solver(trace)
    solution, labels = solver.solve({steps.router: exchanged(1, 1, 2)})
    assert solution == {"router": exchanged(1, 1, 2), "values": exchanged(0, 1, 2)}
    assert labels
    assert solver.operations.forward(1, (exchanged(1, 1, 2),)) == [((LABELS, ((1, 2),), ()),)]


def test_experts_that_no_sample_chose_are_no_units_a_start_may_choose_them():
    steps = Steps(router=normal(3, 4), bias=np.array([9.0, 8.0, -9.0, -9.0]), values=normal(4, 2))
    scores = steps.apply(np.matmul, steps.data(normal(9, 3)), steps.router)
    chosen = steps.apply(lambda s, b: (s + b).argmax(1), scores, steps.bias)
    y = steps.apply(lambda v, c: v[c], steps.values, chosen)
    trace = steps.end(steps.apply(square_error, y, steps.data(normal(9, 2))))
    assert trace.arrays[chosen].max() < 2
    with pytest.raises(Stuck) as raised:
        solved(trace, "router", exchanged(1, 2, 3))
    assert raised.value.node == 1
    assert solved(trace, "router", exchanged(1, 0, 1)).keys() == {"router", "bias", "values"}


def test_numbers_that_move_along_with_units_choose_none_of_them():
    steps = Steps(w=normal(3, 4), out=normal(4, 2))
    hidden = steps.apply(np.matmul, steps.data(normal(9, 3)), steps.w)
    places = steps.apply(lambda h: h.argmax(0), hidden)  # as max-pooling has them
    peaks = steps.apply(lambda h, p: h[p, np.arange(4)][None], hidden, places)
    y = steps.apply(np.matmul, peaks, steps.out)
    trace = steps.end(steps.apply(square_error, y, steps.data(normal(1, 2))))
    assert Solver(trace).solve({steps.w: exchanged(1)}) == (
        {"w": exchanged(1), "out": exchanged(0)},
        False,
    )


def test_a_step_chooses_where_integers_or_truth_values_come_of_leaves():
    assert not Solver(network((3, 4, 2))).selects
    steps = Steps(router=normal(3, 4), values=normal(4, 2))
    scores = steps.apply(np.matmul, steps.data(normal(9, 3)), steps.router)
    y = steps.apply(lambda v, c: v[c], steps.values, steps.apply(lambda s: s.argmax(1), scores))
    assert Solver(steps.end(steps.apply(square_error, y, steps.data(normal(9, 2))))).selects
    steps = Steps(w=normal(3, 4))
    steps.apply(lambda x: x > 0, steps.data(normal(6, 3)))  # of data alone
    assert not Solver(steps.end(steps.apply(np.sum, steps.apply(np.tanh, steps.w)))).selects


def test_what_only_moves_elements_is_told_from_what_computes():
    steps = Steps(w=normal(3, 4))
    turned = steps.apply(np.transpose, steps.w)
    shown = steps.apply(lambda a: a.reshape(2, 6), turned)
    trace = steps.end(steps.apply(np.sum, steps.apply(np.tanh, shown)))
    solver = Solver(trace)
    assert [bool(solver.operations.movement(k)) for k in range(4)] == [True, True, False, False]
    assert (
        solver.operations.movement(0).outputs[0].tolist()
        == (np.arange(12).reshape(3, 4).T + 1).tolist()
    )


def test_an_operation_that_does_not_take_other_arrays_is_none():
    trace = network((3, 4, 2))
    assert trace.perform(0, {0: normal(7, 5)}) is None
    assert trace.perform(0, {0: np.zeros((7, 3))})[0].shape == (7, 4)


def test_what_comes_before_and_after_values():
    trace = network((3, 4, 2))
    hidden = trace.nodes[2].outputs[0]
    assert trace.upstream({hidden}) >= {trace.leaves["w0"], trace.leaves["b0"], hidden}
    assert trace.leaves["w1"] not in trace.upstream({hidden})
    assert trace.downstream({trace.leaves["w1"]}) == {
        trace.leaves["w1"],
        *(node.outputs[0] for node in trace.nodes[3:]),
    }
