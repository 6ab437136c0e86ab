"""Proofs of groups in traces that are written by hand."""

from __future__ import annotations

import numpy as np

from symmetry.finding.proof import Proof, TraceReplay
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


def counted():
    """Return a trace of two branches, and the list of branches that are performed again."""
    performed = []

    def branch(name):
        def function(x, w):
            performed.append(name)
            return np.tanh(x @ w)

        return function

    steps = Steps(a=normal(3, 4), b=normal(3, 4, seed=1))
    x = steps.data(normal(6, 3))
    left, right = (steps.apply(branch(n), x, getattr(steps, n)) for n in "ab")
    total = steps.apply(np.add, left, right)
    trace = steps.end(steps.apply(square_error, total, steps.data(normal(6, 4))))
    performed.clear()
    return trace, performed, left


def test_only_what_comes_of_a_changed_leaf_is_performed_again():
    trace, performed, _ = counted()
    assert TraceReplay(trace, 1e-12).loss_changes({trace.leaves["a"]: normal(3, 4, seed=5)}, 1.0)
    assert performed == ["a"]


def test_values_that_stay_end_the_replay():
    trace, performed, left = counted()
    same = trace.arrays[trace.leaves["a"]] * (1 + 1e-15)
    changes = TraceReplay(trace, 1e-12).changes({trace.leaves["a"]: same})
    assert changes.keys() == {trace.leaves["a"]}
    assert performed == ["a"]
    assert left not in changes


def test_a_loss_that_changes_by_little_is_allowed():
    trace, *_ = counted()
    moved = {trace.leaves["a"]: trace.arrays[trace.leaves["a"]] + 1e-8}
    replay = TraceReplay(trace, 1e-12)
    assert replay.changes(moved) is None
    assert replay.loss_changes(moved, 1000.0)
    assert not replay.loss_changes(moved, 1e6)


def test_operations_that_do_not_take_other_leaves_change_the_loss():
    trace, *_ = counted()
    assert TraceReplay(trace, 1e-12).loss_changes({trace.leaves["a"]: normal(5, 5)}, 1.0)


def chosen(first):
    """Return a trace that chooses rows by the sum of four units, of which one has a factor."""
    steps = Steps(w=normal(3, 4), values=normal(6, 2))
    hidden = steps.apply(np.matmul, steps.data(normal(6, 3)), steps.w)
    factors = steps.data(np.array([first, 1.0, 1.0, 1.0]))
    scores = steps.apply(lambda h, f: (h * f).sum(1), hidden, factors)
    best = steps.apply(lambda s: np.argsort(s)[-2:], scores)
    y = steps.apply(lambda v, c: v[c], steps.values, best)
    return steps.end(steps.apply(square_error, y, steps.data(normal(2, 2))))


def test_a_choice_hides_no_change():
    for first, same in ((1.0, True), (1.001, False)):
        trace = chosen(first)
        rotated = {trace.leaves["w"]: np.roll(trace.arrays[trace.leaves["w"]], 1, axis=1)}
        replay = TraceReplay(trace, 1e-12)
        assert not replay.loss_changes(rotated, 1.0)
        assert (replay.changes(rotated) is not None) == same
