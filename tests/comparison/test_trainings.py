"""Comparing trainings: what is the same, what is not, and where it first differs."""

from __future__ import annotations

import json

import pytest

from tests.conftest import needs

pytestmark = needs("torch")

HERE = "tests.comparison.trainings:"


def compare(first: str, *others: str, **options: object):
    from symmetry import compare

    return compare(HERE + first, *(HERE + other for other in others), **options)


@pytest.mark.parametrize("other", ["training", "sdpa", "accumulated", "unfused", "wrapped"])
def test_the_same(other):
    found = compare("training", other)
    assert found, repr(found)
    assert found.first is None
    assert found.ratios.keys() == {"float32", "float64"}
    assert max(found.ratios.values()) < 5
    assert "is the same training as" in repr(found)


@pytest.mark.parametrize(
    ("other", "phase", "module"),
    [
        ("other_data", "data", None),
        ("wrong_scale", "forward", "attention"),
        ("mean_of_means", "loss", None),
        ("wrong_backward", "backward", ""),
        ("clipped", "gradient", None),
        ("other_eps", "update", None),
    ],
)
def test_what_differs_is_named(other, phase, module):
    found = compare("training", other)
    assert not found
    assert (found.first.phase, found.first.module, found.first.step) == (phase, module, 1)
    assert max(found.ratios.values()) > 1e4


def test_the_texts():
    found = compare("training", "mean_of_means", "other_eps", "wrong_scale", dtype="float64")
    text = repr(found)
    assert "is another training than" in text
    assert "the loss of step 1 (" in text
    assert "the outputs of all 9 modules agree, the gradient of the model does not" in text
    assert "(eps of AdamW is 1e-06, not 1e-08)" in text
    assert "between attention.v and attention.out: attention.out is given another input" in text
    assert text in found._repr_html_() or "<table>" in found._repr_html_()


def test_precision_is_told():
    found = compare("training", "in_half")
    assert not found
    assert "in float32 only: precision, not the method" in repr(found)


def test_other_random_numbers_are_told():
    found = compare("drops", "drops_others")
    assert found, repr(found)
    assert "with the means of random operations" in repr(found)


def test_numbers_that_are_not_finite():
    assert not compare("training", "poisoned")
    found = compare("poisoned", "poisoned")
    assert found
    assert "after step 2 both have numbers that are not finite" in repr(found)


def test_the_json():
    found = json.loads(compare("training", "other_eps", "sdpa", dtype="float64").to_json())
    assert found["reference"] == HERE + "training"
    other, same = found["others"]
    assert (other["name"], other["same"], same["same"]) == (HERE + "other_eps", False, True)
    assert {*other["first"]} == {"phase", "module", "file", "line", "step", "text"}
    assert {"dtype", "step", "array", "ratio", "threshold"} <= {*other["results"][0]}
    assert other["only_in_reference"] == other["only_in_other"] == []


def test_a_training_that_raises_is_the_outcome():
    found = compare("training", "raising")
    assert not found
    assert found.others[0].error.startswith("step(0) raised ValueError: no more (trainings.py, ")


@pytest.mark.parametrize(
    ("first", "other", "phrase"),
    [
        ("raising", "training", "the reference does not run: step(0) raised ValueError"),
        (
            "unseeded",
            "training",
            "does not repeat itself: a second run gives another model",
        ),
        ("training", "unrelated", "have no parameter in common"),
        ("training", "wide", "model.fc.weight has the shape (12, 6) in"),
    ],
)
def test_what_cannot_be_compared(first, other, phrase):
    from symmetry import SymmetryError

    with pytest.raises(SymmetryError) as raised:
        compare(first, other)
    assert phrase in str(raised.value)
    assert "\n" not in str(raised.value)


def test_options_that_make_no_sense():
    from symmetry import SymmetryError

    for options, phrase in (
        ({"steps": 0}, "steps must be an integer of at least 1, not 0"),
        ({"dtype": "float16"}, "dtype must be one of float32, float64"),
        ({"rename": "a"}, "a renaming is PATTERN=REPLACEMENT, not 'a'"),
        ({"rename": "(=b"}, "cannot rename by '(=b'"),
    ):
        with pytest.raises(SymmetryError) as raised:
            compare("training", "sdpa", **options)
        assert phrase in str(raised.value)
