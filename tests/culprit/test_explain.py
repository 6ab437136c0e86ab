"""With which sizes a step is explained, and how often it is run for that."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.culprit.explain import explain_case, explain_step
from symmetry.steps.case import Case
from symmetry.steps.start import StepStart
from symmetry.targets.resolve import as_step_target
from tests.culprit.steps import changed, faulty, start, step

LARGE = {"n": 300, "i": 50, "hidden": 30, "c": 6}
FEW = "seen with 100 samples, 20 inputs, 30 hidden units, 6 classes"


def scale_last_unit(g1):
    g1[:, -1] *= np.float32(1.01)


broken = faulty(g1=changed(scale_last_unit))


def explained(function, beginning: StepStart, **options):
    return explain_step(as_step_target(function, "step"), beginning, **options)


def test_few_samples_and_inputs_are_as_good():
    found = explained(broken, start(**LARGE))
    assert found.outcome == "explained"
    assert found.remarks == (FEW,)
    assert found.culprits[0].operation == "multiply"


def test_a_step_that_is_made_for_its_sizes_is_run_with_them():
    shapes = []

    def fixed(x, y, w1, w2, lr):
        shapes.append(x.shape)
        assert x.shape == (300, 50)
        return broken(x, y, w1, w2, lr)

    found = explained(fixed, start(**LARGE))
    assert found.outcome == "explained"
    assert found.remarks == ()
    assert found.culprits[0].operation == "multiply"
    assert {*shapes} == {(100, 20), (100, 50), (300, 50)}
    assert shapes.count((300, 50)) <= 16


def test_what_only_many_samples_show_is_found_with_many():
    def many_only(x, y, w1, w2, lr):
        return (broken if len(x) > 250 else step)(x, y, w1, w2, lr)

    found = explained(many_only, start(**LARGE))
    assert found.outcome == "explained"
    assert found.remarks == ()


def test_all_samples_are_taken_only_if_nothing_splits_with_the_first_ones():
    sizes = set()

    def noted(x, y, w1, w2, lr):
        sizes.add(x.shape)
        return (broken if len(x) >= 200 else step)(x, y, w1, w2, lr)

    found = explained(noted, start(**LARGE), first=200)
    assert found.remarks == ("seen with 200 samples, 50 inputs, 30 hidden units, 6 classes",)
    assert (300, 50) not in sizes
    assert explained(noted, start(**{**LARGE, "n": 190}), first=180).outcome == "nothing split"


def test_sizes_are_said_once():
    case = Case(300, 50, 30, 6, 0.5, 3, "float32", "unit", "zero", 1)
    found = explain_case(as_step_target(broken, "step"), case)
    assert found.remarks == (FEW,)


def added_up(units, weights):
    """Return units @ weights, one unit after the other: some sums hold one unit of two."""
    total = np.zeros((len(units), weights.shape[1]), units.dtype)
    for unit in range(len(weights)):
        total += units[:, unit : unit + 1] * weights[unit]
    return total


@pytest.mark.parametrize("odd", [False, True])
def test_a_sum_that_takes_one_unit_after_the_other_is_not_accused(odd):
    def one_by_one(x, y, w1, w2, lr):
        layer = 1 / (1 + np.exp(-(added_up(x, w1[1:]) + w1[0])))
        error = added_up(layer, w2[1:]) + w2[0] - y
        back = added_up(error, w2[1:].T.copy()) * layer * (1 - layer)
        if odd:
            back[:, -1] *= 2  # wrong
        inputs, outputs = np.c_[np.ones(len(x), x.dtype), x], np.c_[np.ones(len(x), x.dtype), layer]
        g1 = added_up(inputs.T.copy(), back) / len(x)
        return w1 - lr * g1, w2 - lr * added_up(outputs.T.copy(), error) / len(x)

    found = explained(one_by_one, start("cloned", dtype="float64"))
    if odd:
        assert found.outcome == "explained"
        assert found.culprits[0].source == "back[:, -1] *= 2  # wrong"
    else:
        assert found.outcome == "nothing split"
