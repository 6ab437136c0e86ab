"""Which operation of a run is named, and what is said beside it."""

from __future__ import annotations

import sys

import numpy as np

from symmetry.explanation.answer import NOT_THE_CAUSE, ROUNDING, STILL_SPLITS
from tests.explanation.steps import (
    FACTOR,
    RNG,
    changed,
    cumulative,
    explained,
    faulty,
    multiply_last_unit,
    start,
    step,
)


def multiply_last_row(g2):
    g2[-1] *= FACTOR


def test_code_that_is_not_observed_at_the_very_end():
    def lost(x, y, w1, w2, lr):
        w1, w2 = step(x, y, w1, w2, lr)
        content = bytearray(np.ascontiguousarray(w1).tobytes())
        array = np.frombuffer(content, w1.dtype).reshape(w1.shape)
        array[:, 1] += 1
        return array, w2

    explanation = explained(lost)
    assert explanation.outcome == "not reached"
    assert (explanation.step, explanation.array) == (1, "w1")
    assert explanation.culprits == ()


def test_shuffling_units_splits_none_and_is_seen_when_two_are_exchanged():
    def shuffle(hidden):
        order = np.argsort(RNG.random(hidden.shape[1]))
        assert (np.eye(hidden.shape[1])[order].sum(axis=0) == 1).all()
        return hidden[:, order]

    explanation = explained(faulty(hidden=shuffle))
    assert explanation.difference is None
    assert explanation.culprits[0].source == "return hidden[:, order]"
    found = culprit_among(faulty(hidden=shuffle, g1=changed(multiply_last_unit)))
    assert found.operation == "multiply"


def culprit_among(faulty_step):
    (found,) = explained(faulty_step).culprits
    return found


def test_that_a_second_fault_is_left_is_said():
    explanation = explained(faulty(hidden=cumulative, g2=changed(multiply_last_row)))
    (found,) = explanation.culprits
    assert found.operation == "cumsum"
    assert STILL_SPLITS in found.evidence


def rounded(hidden):
    """Return a hidden layer of which unit 0 is an ulp off, as a product may leave it."""
    factors = np.ones(hidden.shape[1], np.float32)
    factors[0] += np.float32(2e-7)
    return hidden * factors


def scale_all_but_one(g1):
    g1[:, 1:] *= FACTOR


def test_rounding_before_it_does_not_hide_what_one_unit_lacks():
    explanation = explained(faulty(hidden=rounded, g1=changed(scale_all_but_one)), start("cloned"))
    jump, rounding = explanation.culprits
    assert jump.source == "g1[:, 1:] *= FACTOR"
    assert rounding.source == "return hidden * factors"
    assert rounding.difference.size == f"{ROUNDING}: {NOT_THE_CAUSE}"


def test_a_jump_in_a_later_step_comes_before_the_rounding_of_the_first():
    explanation = explained(faulty(hidden=rounded, g1=np.triu))
    jump, rounding = explanation.culprits
    assert (explanation.outcome, explanation.step) == ("explained", 2)
    assert (jump.operation, jump.step) == ("triu", 2)
    assert (rounding.source, rounding.step) == ("return hidden * factors", 1)


def test_what_a_unit_lacks_comes_before_what_a_later_step_makes_of_it():
    class Momentum:
        def __init__(self):
            self.velocity = 0

        def __call__(self, x, y, w1, w2, lr):
            new_w1, new_w2 = step(x, y, w1, w2, lr)
            self.velocity = np.zeros_like(w1) + self.velocity
            self.velocity[:, :-1] *= np.float32(0.9)
            self.velocity += new_w1 - w1
            return w1 + self.velocity, new_w2

    found = explained(Momentum).culprits[0]
    assert found.source == "self.velocity[:, :-1] *= np.float32(0.9)"


def test_a_break_that_is_not_there_while_watched(monkeypatch):
    # Other tests of this process may have compiled something.
    monkeypatch.delitem(sys.modules, "torch._dynamo.utils", raising=False)

    def shy(x, y, w1, w2, lr):
        w1, w2 = step(x, y, w1, w2, lr)
        if type(x) is np.ndarray:
            w2[4] *= FACTOR
        return w1, w2

    assert explained(shy).outcome == "not while observed"
