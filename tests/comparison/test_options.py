"""Options of a comparison: what makes no sense is refused, and how arrays are renamed."""

from __future__ import annotations

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.comparison.options import ComparisonOptions


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"steps": 0}, "steps must be an integer of at least 1, not 0"),
        ({"steps": True}, "steps must be an integer of at least 1, not True"),
        ({"seed": -1}, "seed must be an integer from 0 to 4294967295, not -1"),
        ({"examples": 1.5}, "examples must be an integer of at least 1, not 1.5"),
        ({"dtype": "float16"}, "dtype must be one of float32, float64, not 'float16'"),
        ({"progress": print}, "progress must be a symmetry.Progress"),
        ({"rename": "fc1"}, "a renaming is PATTERN=REPLACEMENT, not 'fc1'"),
        ({"rename": "=a"}, "a renaming is PATTERN=REPLACEMENT, not '=a'"),
        ({"rename": "(=a"}, "cannot rename by"),
        ({"rename": r"a=\1"}, "cannot rename by"),
    ],
)
def test_what_makes_no_sense(given, message):
    with pytest.raises(SymmetryError) as caught:
        ComparisonOptions(**given)
    assert str(caught.value).startswith(message)


def test_dtypes_come_in_their_order():
    assert (
        ComparisonOptions().dtypes
        == ComparisonOptions(dtype=("float64", "float32")).dtypes
        == (*("float32", "float64"),)
    )
    assert ComparisonOptions(dtype="float64").dtypes == ("float64",)


def test_under_torchrun_trainings_are_compared_as_written(monkeypatch):
    monkeypatch.setattr("symmetry.comparison.options.world", lambda: 2)
    assert ComparisonOptions().dtypes == ("float32",)
    with pytest.raises(SymmetryError, match="as written: in float32"):
        ComparisonOptions(dtype="float64")


def test_renamings_follow_one_another():
    options = ComparisonOptions(rename=[r"^net\.=model.", r"layer(\d)=fc\1"])
    assert options.renamed("net.layer2.weight") == "model.fc2.weight"
    assert options.renamed("model.out.bias") == "model.out.bias"
