"""What is wrong with a step as a whole."""

from __future__ import annotations

import re

import numpy as np
import pytest

from symmetry.targets.resolve import as_step_target
from tests.checking import check_target
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
    return check_target(as_step_target(step), only=["symmetry/*"], examples=5).notes


def test_what_draws_random_numbers_is_named():
    (note,) = notes_of(drawing)
    assert note.startswith("random.normal draws random numbers in each step: ")
    assert re.search(r"test_diagnosis\.py:\d+$", note)


def test_the_layer_that_draws_random_numbers_is_named():
    from torch import nn, optim

    from symmetry import from_module

    def make_model(inputs, hidden, classes):
        first, second = nn.Linear(inputs, hidden), nn.Linear(hidden, classes)
        return nn.Sequential(first, nn.Sigmoid(), nn.Dropout(0.5), second)

    notes = notes_of(from_module(make_model, optim.Adam, nn.CrossEntropyLoss()))
    assert len(notes) == 1
    assert notes[0].endswith(" draws random numbers in each step: module 2 (Dropout)")


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
    assert list(notes_of(step)) == notes
