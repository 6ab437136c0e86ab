"""A trace: values, and the operations that make them."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.training.trace import Node, Trace, weights


def chain():
    """Return a trace of three values: a leaf, its double, and the sum of both."""
    trace = Trace([np.ones(2), np.full(2, 2.0), np.full(2, 3.0)], {"w": 0}, {"w": 0}, loss=2)
    trace.add(Node((0,), (1,), frozenset(), lambda new: [2 * new.get(0, trace.arrays[0])]))
    trace.add(
        Node(
            (0, 1, 1),
            (2,),
            frozenset(),
            lambda new: [new.get(0, trace.arrays[0]) + new.get(1, trace.arrays[1])],
        )
    )
    return trace


def test_makers_and_users():
    trace = chain()
    assert trace.maker == {1: 0, 2: 1}
    assert trace.users == {0: [0, 1], 1: [1]}
    assert trace.names == {0: "w"}


def test_what_values_are_made_of_and_what_is_made_of_them():
    trace = chain()
    assert trace.upstream({1}) == {0, 1}
    assert trace.downstream({1}) == {1, 2}


def test_values_from_leaves_and_into_loss_and_results():
    trace = chain()
    trace.arrays += [np.ones(2), np.ones(2)]
    trace.add(Node((3,), (4,), frozenset(), lambda new: [new.get(3, trace.arrays[3])]))
    trace.leaves["buffer"], trace.finals["buffer"] = 3, 4
    assert trace.from_leaves == {0, 1, 2, 3, 4}
    assert trace.into_loss == {0, 1, 2}
    assert trace.into_results == {0, 1, 2, 3, 4}
    trace = chain()
    trace.arrays += [np.ones(2), np.ones(2)]  # a value from outside, of which nothing comes
    trace.add(Node((0, 3), (4,), frozenset(), lambda new: [new.get(3, trace.arrays[3])]))
    assert trace.from_leaves == {0, 1, 2, 4}
    assert trace.into_results == {0, 1, 2}


def test_an_operation_is_performed_on_other_arrays():
    trace = chain()
    assert trace.perform(1, {1: np.zeros(2)})[0].tolist() == [1, 1]
    assert trace.perform(1, {1: np.zeros(3)}) is None


def test_an_operation_with_another_number_of_outputs_is_not_performed():
    trace = Trace([np.ones(2), np.ones(1), np.ones(1)], {"w": 0}, {"w": 0}, loss=2)
    trace.add(Node((0,), (1, 2), frozenset(), lambda new: [*np.split(new[0], len(new[0]))]))
    assert len(trace.perform(0, {0: np.zeros(2)})) == 2
    assert trace.perform(0, {0: np.zeros(3)}) is None


@pytest.mark.parametrize("count", [0, 1, 5])
def test_losses_have_unequal_weights(count):
    assert len({*weights(count)}) == count
