"""Reshapes that tie entries of different units, in traces that are written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.finding.solver import Solver
from symmetry.finding.unequal.reshapes import is_reshape, reshapes_to_transpose
from tests.finding.traces import Steps, normal, square_error


def one_operation(function):
    """Return a solver of a trace with one operation on a leaf of shape (2, 3, 4)."""
    steps = Steps(w=normal(2, 3, 4))
    return Solver(steps.end(steps.apply(function, steps.w)))


@pytest.mark.parametrize(
    ("function", "ties"),
    [
        (lambda a: a.reshape(2, 4, 3), True),
        (lambda a: a.reshape(3, 8), True),
        (lambda a: a.reshape(6, 4), False),  # joins two axes
        (lambda a: a.reshape(2, 3, 2, 2), False),  # splits one
        (lambda a: a.swapaxes(1, 2), False),  # changes the order of entries
        (lambda a: np.tanh(a.reshape(2, 4, 3)), False),
    ],
)
def test_a_reshape_puts_entries_in_their_order_into_other_axes(function, ties):
    assert is_reshape(one_operation(function), 0) is ties


def channels(rearrange):
    """Return a trace of 3 channels at 4 positions, which are rearranged and pooled; and a seed."""
    steps = Steps(w=normal(5, 3), v=normal(3, 2))
    hidden = steps.apply(np.matmul, steps.data(normal(6, 4, 5)), steps.w)
    moved = steps.apply(rearrange, steps.apply(np.tanh, hidden))  # (6, 3, 4)
    pooled = steps.apply(lambda h: np.tanh(h).mean(2) + h[:, :, 0], moved)
    y = steps.apply(np.matmul, pooled, steps.v)
    trace = steps.end(steps.apply(square_error, y, steps.data(normal(6, 2, seed=9))))
    return trace, {steps.w: ((1, ((0, 1),), ()),)}


def test_a_reshape_in_place_of_a_transpose_has_to_be_transposed():
    trace, leaves = channels(lambda h: h.reshape(6, 3, 4))
    assert [k for k in range(len(trace.nodes)) if is_reshape(Solver(trace), k)] == [2]
    assert reshapes_to_transpose(Solver(trace), leaves, 2, iter(range(40))) == (2,)
    assert reshapes_to_transpose(Solver(trace), leaves, 0, iter(range(40))) is None
    assert reshapes_to_transpose(Solver(trace), leaves, 2, iter(())) is None


def test_an_exchange_that_is_complete_needs_no_transpose():
    trace, leaves = channels(lambda h: h.swapaxes(1, 2))
    assert reshapes_to_transpose(Solver(trace), leaves, 2, iter(())) == ()
