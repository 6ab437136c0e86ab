"""Proofs of groups in traces that are written by hand."""

from __future__ import annotations

import numpy as np

from symmetry.finding.grouping.proof import Proof
from symmetry.units.units import Part, Units
from tests.finding.traces import Steps, network, normal, square_error

HIDDEN = Units("", 4, (Part("w0", 1), Part("b0", 0), Part("w1", 0)))


def test_units_hold_with_all_their_parts():
    proof = Proof(network((3, 4, 2)), 1e-12)
    assert proof.holds(HIDDEN)
    assert not proof.holds(HIDDEN.only_in("w0", "b0"))


def test_units_matter_if_the_loss_depends_on_them():
    steps = Steps(w=normal(3, 4), unused=normal(4))
    y = steps.apply(np.matmul, steps.data(normal(6, 3)), steps.w)
    proof = Proof(steps.end(steps.apply(square_error, y, steps.data(normal(6, 4)))), 1e-12)
    assert proof.matters(Units("", 4, (Part("w", 1),)))
    assert not proof.matters(Units("", 4, (Part("unused", 0),)))


def statistics(update):
    """Return a trace with a buffer that is updated from hidden units and not read."""
    steps = Steps(w=normal(3, 4), mean=np.arange(4.0), out=normal(4, 2))
    hidden = steps.apply(np.matmul, steps.data(normal(6, 3)), steps.w)
    steps.trace.finals["mean"] = steps.apply(update, steps.mean, hidden)
    y = steps.apply(np.matmul, steps.apply(np.tanh, hidden), steps.out)
    return steps.end(steps.apply(square_error, y, steps.data(normal(6, 2))))


UNITS = Units("", 4, (Part("w", 1), Part("mean", 0), Part("out", 0)))


def test_buffers_move_along_with_units():
    proof = Proof(statistics(lambda mean, h: 0.9 * mean + 0.1 * h.mean(0)), 1e-12)
    assert proof.holds(UNITS)
    assert not proof.holds(UNITS.only_in("w", "out"))


def test_a_buffer_that_forgets_a_unit_is_excused():
    def update(mean, hidden):
        return np.append((0.9 * mean + 0.1 * hidden.mean(0))[:-1], mean[-1])

    proof = Proof(statistics(update), 1e-12)
    assert not proof.holds(UNITS)
    assert proof.excused == set()
    assert proof.holds_but_for_buffers(UNITS)
    assert proof.excused == {"mean"}
    assert proof.holds(UNITS)
    assert not proof.holds_but_for_buffers(UNITS.only_in("w"))
