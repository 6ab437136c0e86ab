"""Candidates for the inputs of an operation that is stuck."""

from __future__ import annotations

import numpy as np

from symmetry.finding.exchange.candidates import Candidates
from tests.finding.exchange.test_operations import COLUMNS, ROWS, operations
from tests.finding.traces import normal


def test_the_input_with_a_tied_axis_comes_first():
    candidates = Candidates(operations(np.add, normal(2, 3), normal(3)))
    assert next(candidates.repairs(0, (COLUMNS, ()))) == {0: COLUMNS, 1: ROWS}


def test_the_other_side_of_a_sum_is_a_candidate():
    candidates = Candidates(operations(np.matmul, normal(3, 4), normal(4, 5)))
    assert {0: COLUMNS, 1: ROWS} in [*candidates.repairs(0, (COLUMNS, ()))]


def test_a_block_may_stand_for_a_slice():
    def scaled(a, gains):  # one gain for each half
        return (a.reshape(3, 2, 2) * gains[:, None]).reshape(3, 4)

    halves = ((1, ((0, 2), (1, 3)), ()),)
    candidates = Candidates(operations(scaled, normal(3, 4), normal(2)))
    assert {0: halves, 1: ROWS} in [*candidates.repairs(0, (halves, ()))]


def test_a_gate_lies_in_the_other_half():
    def gated(a):
        return a[:, :3] * np.tanh(a[:, 3:])

    candidates = Candidates(operations(gated, normal(2, 6)))
    both = ((1, ((0, 1), (3, 4)), ()),)
    assert {0: both} in [*candidates.repairs(0, (COLUMNS,))]


def test_a_movement_is_pulled_back_exactly():
    candidates = Candidates(operations(np.transpose, normal(3, 4)))
    assert next(candidates.for_output(0, 0, ROWS, ((),))) == {0: COLUMNS}


def test_an_output_asks_for_its_tied_inputs():
    candidates = Candidates(operations(np.add, normal(2, 3), normal(3)))
    assert next(candidates.for_output(0, 0, COLUMNS, ((), ()))) == {0: COLUMNS, 1: ROWS}


def test_data_get_a_factor_more():
    product = operations(lambda w, x: x @ w, normal(4, 5), data=[normal(3, 4)])
    assert (ROWS, COLUMNS) in [*Candidates(product).with_data(0, (ROWS, ()))]
