"""Comparing two-layer steps: on drawn cases, with the phase and the smallest case."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

from symmetry import SymmetryError, compare
from symmetry.comparison.options import ComparisonOptions
from symmetry.law.case import Case, parse_case
from symmetry.network.formulas import step
from symmetry.steps.cases import start_of_case
from symmetry.steps.compare import cases_in, phase_of

START = start_of_case(Case(9, 4, 5, 3, 0.5, 1, "float64", "normals", "scaled", 0))
WEIGHTS = {"w1": START.w1, "w2": START.w2}


def taken(lr=0.5, x=START.x):
    w1, w2 = step(x, START.y, START.w1, START.w2, lr)
    return {"w1": w1, "w2": w2}


def told(theirs, *, alone=True):
    responses = {"w1": 1e-15, "w2": 1e-15}
    return phase_of(WEIGHTS, taken(), theirs, responses, 16, alone=alone)


def with_hidden_rows(factor, name="w2"):
    theirs, mine = taken(), taken()
    theirs[name][1:] = WEIGHTS[name][1:] + factor * (mine[name][1:] - WEIGHTS[name][1:])
    return theirs


@pytest.mark.parametrize("factor", [0.5, 2.0, -1.0])
def test_another_rate_is_another_update(factor):
    text = f"all weights move {factor:g} times as far"
    assert told(taken(0.5 * factor)) == ("update", text)


def test_decay_is_another_update():
    theirs = {name: array - 0.01 * WEIGHTS[name] for name, array in taken().items()}
    assert told(theirs) == (
        "update",
        "the weights change by -0.01 of themselves beside the gradient",
    )


def test_what_a_step_keeps_is_another_update():
    phase, text = told(with_hidden_rows(2.0), alone=False)
    assert phase == "update"
    assert "a fresh step from there agrees" in text


def test_another_error_of_the_outputs_is_another_forward():
    phase, text = told(taken(x=START.x + 0.1))
    assert phase == "forward"
    assert text.startswith("the bias row of w2 moves otherwise")


def test_what_the_bias_row_does_not_show_is_the_backward():
    phase, text = told(with_hidden_rows(2.0))
    assert (phase, text.rpartition("; ")[2]) == ("backward", "the hidden rows of w2 do not")
    phase, text = told(with_hidden_rows(2.0, "w1"))
    assert (phase, text.rpartition("; ")[2]) == ("backward", "w1 does not")
    both = with_hidden_rows(2.0) | {"w1": with_hidden_rows(3.0, "w1")["w1"]}
    assert told(both)[1].endswith("the hidden rows of w2 and w1 do not")


def test_weights_that_do_not_move_at_all_move_no_times_as_far():
    assert told(WEIGHTS) == ("update", "all weights move 0 times as far")
    still = {name: np.array(array) for name, array in WEIGHTS.items()}
    found = phase_of(WEIGHTS, WEIGHTS, still, {"w1": 0.0, "w2": 0.0}, 16, alone=True)
    assert found[0] == "update"


HERE = "tests.steps.compared:"
EXAMPLES = 20
FOLDER = Path(__file__).parent


@pytest.fixture(autouse=True, scope="module")
def here():
    """Work in a small folder: for an import all files of the working folder are mirrored."""
    with chdir(FOLDER):
        yield


def test_the_same():
    found = compare(HERE + "step", HERE + "in_another_order", "numpy", examples=EXAMPLES)
    assert found, repr(found)
    assert max(found.ratios.values()) < 16
    assert f"in {EXAMPLES} cases" in repr(found)


@pytest.mark.parametrize(
    ("other", "phase", "words"),
    [
        ("tanh", "forward", "the bias row of w2 moves otherwise"),
        ("without_slope", "backward", "the hidden rows of w2; w1 does not"),
        ("half_rate", "update", "all weights move 0.5 times as far"),
        ("decaying", "update", "of themselves beside the gradient"),
        ("Keeping", "update", "a state that is kept between steps does not"),
    ],
)
def test_what_differs_is_named(other, phase, words):
    found = compare(HERE + "step", HERE + other, examples=EXAMPLES, dtype="float64")
    assert not found
    assert found.first.phase == phase
    assert words in found.first.text
    assert found.first.step == (2 if other == "Keeping" else 1)


def test_the_smallest_case():
    found = compare(HERE + "step", HERE + "tanh", examples=EXAMPLES, dtype="float32")
    (result,) = found.others[0].results
    case = parse_case(result.case)
    assert case.n * case.i * case.h <= 4
    assert f"after step {result.step} of the case {result.case}" in repr(found)
    again = compare(HERE + "step", HERE + "tanh", cases=[case])
    assert again.others[0].results == (result.__class__(**{**vars(result), "cases": 1}),)
    assert json.loads(found.to_json())["others"][0]["results"][0]["case"] == result.case


def test_a_step_that_raises_is_the_outcome():
    found = compare(HERE + "step", HERE + "raising", examples=EXAMPLES)
    assert not found
    assert "ValueError: no more" in found.others[0].error


@pytest.mark.parametrize(
    ("first", "other", "phrase"),
    [
        ("raising", "step", "the reference does not run: the step raised ValueError"),
        ("at_random", "step", "does not repeat itself: a second run of the case"),
        ("single", "double", "takes float32, and tests.steps.compared:double takes float64"),
    ],
)
def test_what_cannot_be_compared(first, other, phrase):
    with pytest.raises(SymmetryError) as raised:
        compare(HERE + first, HERE + other, examples=EXAMPLES)
    assert phrase in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nothing_can_be_judged_where_nothing_moves():
    found = compare(HERE + "still", HERE + "still", examples=EXAMPLES)
    assert found.others[0].same is None
    assert "cannot judge: nothing moves" in repr(found)


def test_given_cases_are_those_of_their_dtype():
    cases = [Case(2, 2, 2, 2, 0.1, 1, dtype, "unit", "zero", 0) for dtype in ("float32", "float64")]
    assert cases_in(ComparisonOptions(cases=cases), "float64") == (cases[1],)
    drawn = cases_in(ComparisonOptions(examples=3), "float32")
    assert len(drawn) == 3
    assert {case.dtype for case in drawn} == {"float32"}
