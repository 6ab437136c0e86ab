"""Comparing trainings whose arguments are drawn."""

from __future__ import annotations

import pytest

import symmetry
from symmetry.base.errors import SymmetryError
from tests.targets.sizes import trainings


@pytest.mark.slow
def test_the_smallest_size_at_which_they_differ_is_named():
    compared = symmetry.compare(
        trainings.sound, trainings.scaled, examples=4, dtype="float32", arguments={"hidden": 4}
    )
    (other,) = compared.others
    assert not compared
    assert other.arguments == "size=3 rate=1.0"
    note = "differs at size=3, not at size=2; smallest arguments: size=3 rate=1.0"
    assert other.notes[0] == note


def test_the_same_at_all_sizes():
    compared = symmetry.compare(trainings.sound, trainings.sound, examples=3, dtype="float32")
    assert compared
    assert compared.others[0].notes[-1].startswith("compared at 3 drawn sizes: hidden ")


def test_both_need_the_same_arguments():
    with pytest.raises(SymmetryError, match="both need the same arguments"):
        symmetry.compare(trainings.sound, trainings.refusing)
