"""Constants that hold a different number for each unit, in traces that are written by hand."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.finding.exchange.propagation import Stuck
from symmetry.finding.solver import Solver
from symmetry.finding.unequal.constants import GuiltyConstants
from tests.finding.traces import Steps, normal, square_error


def scaled(make_scale):
    """Return a trace in which a hidden layer is multiplied by a scale, and its seed."""
    steps = Steps(w=normal(3, 4), v=normal(4, 2))
    hidden = steps.apply(np.matmul, steps.data(normal(7, 3)), steps.w)
    hidden = steps.apply(np.multiply, steps.apply(np.tanh, hidden), make_scale(steps))
    y = steps.apply(np.matmul, hidden, steps.v)
    trace = steps.end(steps.apply(square_error, y, steps.data(normal(7, 2, seed=9))))
    return trace, {steps.w: ((1, ((0, 1),), ()),)}


def guilty(make_scale):
    """Return the node that takes the guilty constant, and the one where the exchange is stuck."""
    trace, leaves = scaled(make_scale)
    with pytest.raises(Stuck) as stuck:
        Solver(trace).solve(leaves)
    return GuiltyConstants(trace).node(leaves, stuck.value.node), stuck.value.node


@pytest.mark.parametrize(
    "make_scale",
    [
        lambda steps: steps.apply(lambda: np.linspace(1, 2, 4)),
        lambda steps: steps.data(np.linspace(1, 2, 4)),
    ],
)
def test_a_constant_of_the_step_or_from_outside_is_guilty(make_scale):
    node, stuck = guilty(make_scale)
    assert node == stuck


def test_the_batch_is_not_guilty():
    assert guilty(lambda steps: steps.data(normal(7, 4)))[0] is None


def test_a_trace_without_constants_has_no_guilty_one():
    steps = Steps(w=normal(3, 4))
    y = steps.apply(np.matmul, steps.data(normal(7, 3)), steps.w)
    trace = steps.end(steps.apply(square_error, y, steps.data(normal(7, 4))))
    assert GuiltyConstants(trace).node({steps.w: ((1, ((0, 1),), ()),)}, 1) is None


def test_data_are_all_that_is_computed_from_outside():
    trace, _ = scaled(lambda steps: steps.apply(lambda: np.linspace(1, 2, 4)))
    scale = next(n.outputs[0] for n in trace.nodes if not n.inputs)
    assert scale not in GuiltyConstants(trace).data
    assert trace.loss in GuiltyConstants(trace).data
    assert trace.leaves["w"] not in GuiltyConstants(trace).data
