"""Losses that are not finite: the operation that makes them so, its line and its cause."""

from __future__ import annotations

import linecache

import pytest
import torch
import torch.nn.functional as F

from symmetry.invariants.movement.not_finite import cause_of
from symmetry.invariants.training.finite import finite
from symmetry.training.start import TrainingStart
from symmetry.training.target import FunctionTraining
from tests.sound.trainings import models
from tests.sound.trainings.models import labels, numbers
from tests.sound.trainings.steps import plain

INF = float("inf")


def violation(loss, batch=lambda i: numbers(12, 6, seed=i)):
    """Return the violation of a classifier whose loss is made of its outputs and labels."""

    def make():
        model = models.MLP()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        return plain(model, optimizer, lambda i: loss(model(batch(i)), labels(12, 4, seed=i)))

    return finite(TrainingStart(FunctionTraining("training", make), "float32")).violation


def log_of_zero(out, y):
    scores = out.relu() * 0
    return -(F.one_hot(y, 4) * scores.log()).mean()


def entropy(out, y):
    chosen = F.one_hot(y, 4) * out.softmax(1)
    surprise = torch.log(chosen)
    return (chosen * surprise).sum()


def average_of_nothing(out, y):
    count = (y > 7).sum()
    return out.sum() * 0 / count


def exponential(out, y):
    grown = torch.exp(100 + out.abs())
    return (grown / grown.sum()).sum()


def hidden_row(out, y):
    scores = out.masked_fill(y[:, None] == 1, -INF)
    return torch.softmax(scores, 1).square().sum()


def spread_of_one(out, y):
    return (out[:1] / out[:1].std(0)).sum()


def no_labels(out, y):
    return F.cross_entropy(out, y * 0 - 100)


def nobody_chosen(out, y):
    return F.cross_entropy(out, y, reduction="none")[y > 7].mean()


@pytest.mark.parametrize(
    ("loss", "said", "line"),
    [
        (log_of_zero, "nan: log returns -inf, since its argument is 0", ".log()"),
        (entropy, "nan: log returns -inf, since its argument is 0", "torch.log"),
        (average_of_nothing, "nan: div returns nan, since it divides by 0", "/ count"),
        (exponential, "nan: exp returns inf, since its argument is as large as", "torch.exp"),
        (hidden_row, "nan: softmax returns nan, since all entries of a row are -inf", "softmax"),
        (spread_of_one, "nan: std returns nan, since it takes the spread of a single", ".std("),
        (no_labels, "nan: nll_loss returns nan, since every label is ignored", "cross_entropy"),
        (nobody_chosen, "nan: mean returns nan, since it is of no entries", "[y > 7].mean()"),
    ],
)
def test_the_operation_is_named_that_makes_the_first_number_that_is_not_finite(loss, said, line):
    found = violation(loss)
    assert found.message.startswith(f"the loss of step 1 is {said}")
    assert found.file.endswith("test_not_finite.py")
    assert line in linecache.getline(__file__, found.line)


def test_what_comes_with_the_data_is_no_operations_fault():
    def batch(i):
        x = numbers(12, 6, seed=i).numpy()
        x[3, 2] = float("nan")
        return torch.from_numpy(x)

    message = violation(F.cross_entropy, batch).message
    assert message.endswith("the data already contain nan before the step")


def test_infinite_numbers_that_a_mask_puts_there_are_wanted():
    def hidden(out, y):
        return F.cross_entropy(out.masked_fill(torch.arange(4) == (y[:, None] + 1) % 4, -INF), y)

    assert violation(hidden) is None


def test_a_cause_is_said_only_if_it_is_certain():
    assert cause_of("mm", [torch.ones(2, 2).numpy()], []) == ""
    assert cause_of("log", [torch.ones(2).numpy()], []) == ""
