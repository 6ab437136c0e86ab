"""Actions of values, pulled back to the leaves."""

from __future__ import annotations

import numpy as np

from symmetry.finding.exchange.candidates import Candidates
from symmetry.finding.exchange.operations import Operations
from symmetry.finding.exchange.propagation import ExchangeBudget
from symmetry.finding.exchange.pullback import Pullback
from tests.finding.traces import Steps, normal

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
