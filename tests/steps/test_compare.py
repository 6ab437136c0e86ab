"""Comparing two-layer steps: on drawn cases, with the phase and the smallest case."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path

import pytest

from symmetry import SymmetryError, compare
from symmetry.comparison.options import ComparisonOptions
from symmetry.law.case import Case, parse_case
from symmetry.steps.compare import cases_in

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
        ("Keeping", "update", "what is kept between steps does not"),
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
