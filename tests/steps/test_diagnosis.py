"""What is wrong with a step as a whole."""

from __future__ import annotations

import re

import numpy as np
import pytest

from symmetry.base.user_code import shorten
from symmetry.targets.resolve import as_step_target
from tests.checking import check_target
from tests.conftest import slow
from tests.steps import checked as steps


def ignoring(x, y, w1, w2, lr):
    """Trains weights of its own."""
    w1, w2 = (np.random.default_rng(0).normal(size=w.shape).astype(w.dtype) for w in (w1, w2))
    return steps.sound(x, y, w1, w2, lr)


def without_numbers(x, y, w1, w2, lr):
    return w1 * np.nan, w2 * np.nan


GENERATOR = np.random.default_rng()


def drawing(x, y, w1, w2, lr):
    w1, w2 = steps.sound(x, y, w1, w2, lr)
    return w1 + GENERATOR.normal(size=w1.shape).astype(w1.dtype), w2


def notes_of(step):
    return check_target(as_step_target(step), only=["symmetry/*"], examples=5).remarks


def test_what_draws_random_numbers_is_named():
    (note,) = notes_of(drawing)
    assert note.startswith("random.normal draws random numbers in each step: ")
    assert re.search(r"test_diagnosis\.py:\d+$", note)


def test_the_line_of_a_layer_that_draws_random_numbers_is_named():
    import torch

    dropout = torch.nn.Dropout(0.5)

    def dropping(x, y, w1, w2, lr):
        w1, w2 = steps.sound(x, y, w1, w2, lr)
        return dropout(torch.from_numpy(w1)).numpy(), w2

    (note,) = notes_of(dropping)
    line = dropping.__code__.co_firstlineno + 2
    assert note.endswith(f" draws random numbers in each step: {shorten(__file__)}:{line}")


@pytest.mark.parametrize(
    ("step", "notes"),
    [
        (ignoring, ["the step ignores w1 and w2: from other weights it returns the same ones"]),
        (without_numbers, ["the first step gives NaN or infinity, even from numbers of order 1"]),
        (steps.frozen, ["the step returns w1 and w2 as they came"]),
        slow(steps.last_unit_off, []),
        (steps.sound, []),
        (lambda x, y, w1, w2, lr: None, []),
    ],
)
def test_one_cause_of_all_verdicts_is_named(step, notes):
    assert list(notes_of(step)) == notes
