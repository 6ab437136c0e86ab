"""What is wrong with a step as a whole."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.checker.plan import plan_check
from symmetry.targets.resolve import as_trainer
from tests.checker import steps


def ignoring(x, y, w1, w2, lr):
    """Trains weights of its own."""
    w1, w2 = (np.random.default_rng(0).normal(size=w.shape).astype(w.dtype) for w in (w1, w2))
    return steps.sound(x, y, w1, w2, lr)


def without_numbers(x, y, w1, w2, lr):
    return w1 * np.nan, w2 * np.nan


@pytest.mark.parametrize(
    ("step", "notes"),
    [
        (ignoring, ["the step ignores w1 and w2: from other weights it returns the same ones"]),
        (without_numbers, ["the first step gives NaN or infinity, even from numbers of order 1"]),
        (steps.frozen, ["the step returns w1 and w2 as they came"]),
        (steps.last_unit_off, []),
        (steps.sound, []),
        (lambda x, y, w1, w2, lr: None, []),
    ],
)
def test_one_cause_of_all_verdicts_is_named(step, notes):
    plan = plan_check(as_trainer(step), only=["symmetry/*"], examples=5)
    assert list(plan.run().notes) == notes
