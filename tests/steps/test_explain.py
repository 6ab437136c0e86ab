"""How a two-layer step is watched: what it refuses, and what it keeps from call to call."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.base.errors import SymmetryError
from symmetry.steps.explain import explain_step
from symmetry.targets.resolve import resolve
from tests.explanation.steps import (
    FACTOR,
    HIDDEN,
    changed,
    explained,
    faulty,
    multiply_last_unit,
    start,
    step,
)


def test_a_step_that_takes_only_this_number_of_units():
    def only_twelve(x, y, w1, w2, lr):
        if w1.shape[1] != HIDDEN:
            raise ValueError("twelve!")
        return faulty(g1=changed(multiply_last_unit))(x, y, w1, w2, lr)

    explanation = explained(only_twelve)
    assert explanation.culprits[0].operation == "multiply"
    assert explanation.remarks == ()


def test_a_step_that_refuses_observed_arrays():
    def strict(x, y, w1, w2, lr):
        assert type(x) is np.ndarray
        return faulty(g1=changed(multiply_last_unit))(x, y, w1, w2, lr)

    explanation = explained(strict)
    assert explanation.culprits[0].operation == "multiply"
    assert explanation.remarks[0].startswith("the step does not take a subclass")


def test_a_break_in_a_later_iteration_of_a_trainer_with_state():
    class EveryThird:
        def __init__(self):
            self.calls = 0

        def __call__(self, x, y, w1, w2, lr):
            self.calls += 1
            w1, w2 = step(x, y, w1, w2, lr)
            if self.calls == 3:
                w2[4] *= FACTOR
            return w1, w2

    explanation = explained(EveryThird)
    assert explanation.step == 3
    assert explanation.culprits[0].step == 3
    assert explanation.culprits[0].difference.groups == "unit 3 alone"


def test_a_step_that_raises():
    def broken(x, y, w1, w2, lr):
        raise ValueError("no")

    with pytest.raises(SymmetryError, match=r"step: the step raised ValueError: no .*test_explain"):
        explained(broken)


def test_a_compiled_core_is_one_operation():
    explanation = explain_core()
    assert explanation.outcome == "nothing split"


def explain_core():
    return explain_step(resolve("numba"), start())


def test_a_run_ends_where_its_rest_is_of_no_use():
    ends = []

    def counted(x, y, w1, w2, lr):
        result = faulty(g1=changed(multiply_last_unit))(x, y, w1, w2, lr)
        ends.append(type(x))
        return result

    assert explained(counted).culprits[0].operation == "multiply"
    began = []

    def caught(x, y, w1, w2, lr):
        began.append(type(x))
        try:
            return counted(x, y, w1, w2, lr)
        except Exception:
            return w1, w2

    ends.clear()
    assert explained(caught).culprits[0].operation == "multiply"
    assert len(began) - len(ends) == 3  # those that look at one operation
