"""From exchanges to groups, in traces that are written by hand: no framework is needed."""

from __future__ import annotations

import time
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symmetry.finding.exchange.propagation import Stuck
from symmetry.finding.groups import Extension, GroupSearch, PairMaker, SwappedSlices, data_axes
from symmetry.finding.proof import Proof
from symmetry.finding.solver import Solver
from symmetry.units.units import Part, Units
from tests.finding.traces import Steps, network, normal, square_error


def extension(factors, taken=()):
    """Return an extension for hidden units that are multiplied by factors."""
    trace = network((3, len(factors), 2), between=lambda h: np.tanh(h * np.array(factors)))
    places = defaultdict(set, {("w0", 1): {*taken}})
    return Extension(Proof(trace, 1e-12), places)


def pair(first=0):
    return Units("", 2, (Part("w0", 1, first), Part("b0", 0, first), Part("w1", 0, first)))


def slices(group):
    return [*group.along("w0", 1)]


@pytest.mark.parametrize("first", [0, 2, 4])
def test_a_pair_is_extended_both_ways(first):
    assert sorted(slices(extension([1] * 6).largest_group(pair(first)))) == [*range(6)]


@pytest.mark.parametrize(
    ("factors", "units"),
    [
        ([1, 1, 3, 1, 1], [0, 1, 3, 4]),
        ([1, 1, 3, 2, 1, 1], [0, 1, 4, 5]),
        ([1, 1, 1, 2, 3, 4], [0, 1, 2]),
    ],
)
def test_one_or_two_odd_units_are_left_out(factors, units):
    assert slices(extension(factors).largest_group(pair())) == units


def test_slices_before_the_pair_that_are_taken_stay_with_their_group():
    assert slices(extension([1] * 6, taken={0, 1}).largest_group(pair(2))) == [2, 3, 4, 5]


def test_a_first_unit_without_a_second_is_no_group():
    assert extension([1, 2, 3, 4]).largest_group(pair()) is None


def test_units_end_where_another_part_begins():
    halves = Units("", 2, (Part("w0", 1), Part("w0", 1, first=2)))
    assert extension([1] * 4)._capacity(halves) == 2


@pytest.mark.parametrize(
    ("factors", "proofs"),
    [([1] * 6, [6]), ([1, 1, 1, 2, 3, 4], [3, 4])],  # of sizes, in this order
)
def test_the_size_of_the_latest_group_in_as_much_room_is_tried_first(factors, proofs, monkeypatch):
    extends, tried, holds = extension(factors), [], Proof.holds
    first = extends.largest_group(pair())

    def noted(proof, units, excused=()):
        tried.append(units.count)
        return holds(proof, units, excused)

    monkeypatch.setattr(Proof, "holds", noted)
    assert extends.largest_group(pair()) == first
    assert tried == proofs


def parts(trace, solution):
    """Return the parts of the pair that an exchange exchanges."""
    pair = PairMaker(trace, Proof(trace, 1e-12)).pair(solution, selectable=False)
    assert pair.count == 2
    return pair.parts


def test_a_pair_lies_where_slices_are_swapped():
    swapped = {"w0": ((1, ((1, 2),), ()),), "w1": ((0, ((1, 2),), ()),)}
    assert parts(network((3, 4, 2)), swapped) == (
        Part("w0", axis=1, first=1),
        Part("w1", axis=0, first=1),
    )


def test_neighbours_that_move_by_the_same_stride_are_one_block():
    heads = {"w0": ((1, ((0, 3), (1, 4), (2, 5)), ()),)}
    assert parts(network((3, 6, 2)), heads) == (Part("w0", axis=1, stride=3, block=3),)
    gates = {"w0": ((1, ((0, 1), (3, 4)), ()),)}
    assert parts(network((3, 6, 2)), gates) == (Part("w0", axis=1), Part("w0", axis=1, first=3))


def test_a_limit_to_a_block_stays_and_others_are_dropped():
    trace = network((4, 4, 2))
    head = {"w0": ((1, ((0, 1),), ((0, (0, 1)),)),)}
    assert parts(trace, head) == (Part("w0", axis=1, within=((0, 0, 2),)),)
    scattered = {"w0": ((1, ((0, 1),), ((0, (0, 3)),)),)}
    assert parts(trace, scattered) == (Part("w0", axis=1),)


def experts(selected):
    """Return a trace in which samples go through some of three experts."""
    steps = Steps(stream=normal(5, 4), inside=normal(3, 4, 2))
    hidden = steps.apply(lambda s, w: np.tanh(s @ w[selected]), steps.stream, steps.inside)
    return steps.end(steps.apply(lambda h: square_error(h, 0.3), hidden))


def test_a_pair_lies_in_experts_that_no_sample_has_selected():
    swapped = {"stream": ((1, ((0, 1),), ()),), "inside": ((1, ((0, 1),), ((0, (0,)),)),)}
    assert parts(experts([0]), swapped)[1] == Part("inside", axis=1)
    assert parts(experts([0, 1]), swapped)[1] == Part("inside", axis=1, within=((0, 0, 1),))


def test_a_buffer_of_the_same_module_joins_a_pair_if_that_holds():
    mean, weight, out = "model.norm.mean", "model.norm.weight", "model.out.weight"
    steps = Steps(**{weight: normal(4), mean: np.zeros(4), out: normal(4, 2)})
    gain, x = getattr(steps, weight), steps.data(np.ones((6, 4)))
    hidden = steps.apply(np.multiply, x, gain)
    steps.trace.finals[mean] = steps.apply(lambda m, h: m + h.mean(0), getattr(steps, mean), hidden)
    y = steps.apply(np.matmul, hidden, getattr(steps, out))
    trace = steps.end(steps.apply(square_error, y, steps.data(normal(6, 2))))
    swapped = {weight: ((0, ((0, 1),), ()),), out: ((0, ((0, 1),), ()),)}
    assert [part.array for part in parts(trace, swapped)] == [weight, out, mean]


HIDDEN = Units("hidden", 4, (Part("w", 0), Part("v", 1)))
HEADS = Units("heads", 2, (Part("w", 0, stride=2, block=2), Part("v", 1, stride=2, block=2)))
IN_HEAD = Units("in a head", 2, (Part("w", 0, within=((1, 0, 3),)),))


W_ALONE = Units("hidden", 4, (Part("w", 0),))


@pytest.mark.parametrize(
    ("inner", "outer", "included"),
    [
        (SwappedSlices(HIDDEN, 0, 2), SwappedSlices(HEADS), True),
        (SwappedSlices(HIDDEN, 1, 3), SwappedSlices(HEADS), True),
        (SwappedSlices(HIDDEN, 0, 1), SwappedSlices(HEADS), False),
        (SwappedSlices(HEADS), SwappedSlices(HIDDEN, 0, 2), False),
        (SwappedSlices(W_ALONE), SwappedSlices(HIDDEN), True),
        (SwappedSlices(HIDDEN), SwappedSlices(W_ALONE), False),
        (SwappedSlices(IN_HEAD), SwappedSlices(HIDDEN), True),  # only a range of it
        (SwappedSlices(W_ALONE), SwappedSlices(IN_HEAD), False),
    ],
)
def test_one_is_included_if_the_other_swaps_all_of_its_slices(inner, outer, included):
    assert outer.include(inner) is included


def test_heads_that_are_exchanged_exchange_units_inside():
    assert SwappedSlices(HEADS).include_units(HIDDEN)
    assert not SwappedSlices(HIDDEN).include_units(HEADS)
    assert not SwappedSlices(HEADS).include_units(Units("others", 4, (Part("u", 0),)))


def test_exchanges_of_many_slices_are_compared_quickly():
    wide = Units("wide", 2, (Part("w", 0, stride=20_000, block=20_000),))
    exchange = SwappedSlices(wide)
    began = time.process_time()
    assert exchange.include(SwappedSlices(wide))
    assert time.process_time() - began < 5  # not each slice against each


def attention(*, samples=None):
    """Return a step, with the values of its scores: samples and heads have one axis, and two."""
    x = normal(3, 4, 6) if samples is None else samples
    steps = Steps(w=normal(6, 6))
    data = steps.data(x)
    hidden = steps.apply(np.matmul, data, steps.w)
    heads = steps.apply(lambda h: h.reshape(*x.shape[:2], 2, 3).swapaxes(1, 2), hidden)
    scores = steps.apply(lambda h: h @ h.swapaxes(2, 3), heads)
    merged = steps.apply(lambda s: s.reshape(-1, x.shape[1], x.shape[1]), scores)
    loss = steps.apply(lambda s: square_error(np.tanh(s), 0.3), merged)
    return steps.end(loss), heads, scores, merged


def test_samples_and_positions_are_told_apart_heads_and_dimensions_are_not():
    trace, heads, scores, _ = attention()
    axes = data_axes(trace)
    assert {axis for value, axis in axes if value == heads} == {0, 2}
    assert {axis for value, axis in axes if value == scores} == {0, 2, 3}


def test_heads_of_one_sample_are_told_from_those_of_others():
    trace, _, _, merged = attention()
    assert (merged, 0) in data_axes(trace)


def test_equal_samples_are_not_told_apart():
    x = normal(3, 4, 6)
    x[1:] = x[0]
    trace, heads, *_ = attention(samples=x)
    assert {axis for value, axis in data_axes(trace) if value == heads} == {2}


def test_units_that_a_constant_multiplies_alike_are_not_told_apart():
    steps = Steps(w=normal(5, 4))
    hidden = steps.apply(np.matmul, steps.data(normal(7, 5)), steps.w)
    scaled = steps.apply(np.multiply, hidden, steps.data(np.array([1.0, 2.0, 1.0, 2.0])))
    heads = steps.apply(lambda h: h.reshape(7, 2, 2), scaled)
    trace = steps.end(steps.apply(lambda h: square_error(np.tanh(h), 0.3), heads))
    assert {axis for value, axis in data_axes(trace) if value == heads} == {0, 2}


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
