"""Where an explanation begins: its sizes, its start, and how often it runs the step."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.base.errors import SymmetryError
from symmetry.law.case import Case
from symmetry.steps.cases import start_of_case
from symmetry.steps.explain import explain_case, explain_data
from symmetry.targets.resolve import as_step_target
from tests.conftest import few, slow
from tests.explanation.steps import (
    FACTOR,
    add_to_one_entry,
    changed,
    explained,
    faulty,
    multiply_last_unit,
    start,
    step,
)
from tests.faulty import FAULTY
from tests.sound import SOUND

LARGE = {"n": 300, "i": 50, "hidden": 30, "c": 6}
FEW = "seen with 100 samples, 20 inputs, 30 hidden units, 6 classes"


broken = faulty(g1=changed(multiply_last_unit))


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


def test_a_step_that_does_not_move_from_zero_starts_elsewhere():
    def rectified(x, y, w1, w2, lr):
        hidden = np.maximum(x @ w1[1:], 0)
        hidden[:, -2:] *= FACTOR
        delta = hidden @ w2[1:] - y
        g2 = hidden[:, :, None] * delta[:, None, :]
        w2[1:] -= lr * g2.mean(axis=0)
        return w1, w2

    explanation = explained(rectified)
    assert explanation.culprits[0].operation == "multiply"
    assert "started equal but not at zero" in explanation.remarks[0]


def test_a_step_whose_hidden_units_do_not_move_from_zero_starts_elsewhere():
    def rectified(x, y, w1, w2, lr):
        hidden = np.maximum(x @ w1[1:] + w1[0], 0)
        delta = hidden @ w2[1:] + w2[0] - y
        back = (delta @ w2[1:].T) * (hidden > 0)
        back[:, 1:] *= FACTOR
        w2[0] -= lr * delta.mean(axis=0)
        return w1 - lr * np.vstack([back.sum(axis=0), x.T @ back]), w2

    assert explained(rectified).culprits[0].source == "back[:, 1:] *= FACTOR"


def test_units_that_start_different_have_no_symmetry():
    with pytest.raises(SymmetryError, match="all hidden units start different"):
        explained(step, start("scaled"))
    with pytest.raises(SymmetryError, match="all hidden units start different"):
        explained(step, start(hidden=1))


@pytest.mark.parametrize("change", [multiply_last_unit, add_to_one_entry])
def test_a_case_whose_sizes_are_alike_is_looked_at_with_others(change):
    trainer = as_step_target(faulty(g1=changed(change)), "step")
    case = Case(1, 1, 4, 2, 0.5, 3, "float32", "unit", "zero", 0)
    (found,) = (explanation := explain_case(trainer, case)).culprits
    assert found.operation == ("multiply" if change is multiply_last_unit else "setitem")
    assert explanation.remarks[0] == "seen with 5 samples, 3 inputs, 6 hidden units, 2 classes"


def test_units_of_a_case_that_all_differ_are_cloned():
    case = Case(5, 3, 6, 2, 0.5, 3, "float32", "unit", "scaled", 0)
    trainer = as_step_target(faulty(g1=changed(multiply_last_unit)), "step")
    assert explain_case(trainer, case).culprits[0].operation == "multiply"


def test_a_case_that_fails_at_its_own_sizes_alone_is_looked_at_as_it_is():
    def few(g1):
        return changed(multiply_last_unit)(g1) if g1.shape[1] < 5 else g1

    case = Case(1, 1, 4, 2, 0.5, 3, "float32", "unit", "zero", 0)
    explanation = explain_case(as_step_target(faulty(g1=few), "step"), case)
    assert explanation.culprits[0].operation == "multiply"
    assert not any(remark.startswith("seen with") for remark in explanation.remarks)


def test_a_size_beyond_memory_is_refused():
    case = Case(10**6, 100, 10**2, 10, 0.1, 1, "float64", "unit", "zero", 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("symmetry.base.memory.available", lambda: 10**6)
        with pytest.raises(SymmetryError, match="memory"):
            start_of_case(case)


BREAKING = [
    fault
    for fault in FAULTY
    if {"symmetry/w1-columns", "symmetry/w2-rows", "symmetry/clones"} & {*fault.caught_by}
]


def marked(faults):
    """Mark all but every sixth slow."""
    for number, fault in enumerate(faults):
        yield pytest.param(fault, id=fault.name, marks=[pytest.mark.slow] * (number % 6 > 0))


@pytest.mark.parametrize("fault", [*marked(BREAKING)])
def test_the_zoo_is_explained(fault):
    dtype = getattr(fault.trainer, "dtypes", ["float32"])[0]
    hidden = (
        260 if "byte" in fault.name else 150 if "128" in fault.name or "tile" in fault.name else 19
    )
    for weights in ("zero", "cloned"):
        explanation = explained(
            fault.trainer, start(weights, hidden, dtype=dtype, n=24, iterations=4)
        )
        if explanation.step is not None:
            if explanation.outcome == "another way":
                assert "tests/faulty/" in explanation.remarks[-1]
                return
            assert explanation.outcome in ("explained", "rounding")
            assert "tests/faulty/" in explanation.culprits[0].file or (
                explanation.culprits[0].operation == "einsum"  # given a wrong operand
            )
            return
    assert fault.name in ("clipped_by_the_first_units_norm",)


@pytest.mark.parametrize("sound", few(SOUND[::3], lambda sound: sound.name, number=15))
def test_sound_trainers_are_not_accused(sound):
    dtype = getattr(sound.trainer, "dtypes", ["float32"])[0]
    assert explained(sound.trainer, start(dtype=dtype)).outcome == "nothing split"


def halve_last_row(array):
    array[-1] *= 0.5


def halve_last_column(array):
    array[:, -1] *= 0.5


OF_DATA = [
    ("samples", faulty(hidden=changed(halve_last_row)), "array[-1] *= 0.5"),
    ("inputs", faulty(g1=changed(halve_last_row)), "array[-1] *= 0.5"),
    ("classes", faulty(g2=changed(halve_last_column)), "array[:, -1] *= 0.5"),
]


@pytest.mark.parametrize(("kind", "wrong", "line"), OF_DATA, ids=["samples", "inputs", "classes"])
@pytest.mark.parametrize("sizes", [(1, 1, 2, 2), slow((6, 4, 5, 3))])
def test_samples_inputs_and_classes_have_their_line(kind, wrong, line, sizes):
    case = Case(*sizes, 0.5, 1, "float32", "constant", "zero", 0)
    assert explain_data(as_step_target(step, "step"), case, kind) is None
    found = explain_data(as_step_target(wrong, "step"), case, kind)
    assert (found.outcome, found.units, found.difference) == ("explained", kind, None)
    (culprit,) = found.culprits
    assert (culprit.operation, culprit.source) == ("multiply", line)
    texts = [culprit.cause, culprit.result.units, culprit.difference.groups]
    assert not any("unit" in text for text in texts)


def test_what_nothing_is_said_of_is_told():
    assert explained(step).remarks == (
        "of samples, inputs and classes nothing is said here: check names their line",
    )
