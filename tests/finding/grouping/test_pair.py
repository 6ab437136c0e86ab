"""Pairs of units made from solved exchanges."""

from __future__ import annotations

import time

import numpy as np
import pytest

from symmetry.finding.grouping.pair import PairMaker, SwappedSlices
from symmetry.finding.grouping.proof import Proof
from symmetry.units.units import Part, Units
from tests.finding.traces import Steps, network, normal, square_error


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
