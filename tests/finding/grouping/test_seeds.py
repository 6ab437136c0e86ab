"""Axes along which slices come from different data, in traces that are written by hand."""

from __future__ import annotations

import numpy as np

from symmetry.finding.grouping.seeds import data_axes
from tests.finding.traces import Steps, normal, square_error


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
