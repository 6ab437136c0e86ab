"""What is printed of an invariant, a note, or a name that is neither."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.invariants.loop import copies
from symmetry.law import equivariance
from symmetry.report.answers.invariants import describe
from tests.catalogues import STEPS, TRAININGS, named, select_trainings


def test_an_invariant_is_described_with_the_documentation_of_its_measure() -> None:
    invariant = named("symmetry/repeatable")
    text = "\n".join(describe(invariant.name, STEPS))
    for value in (invariant.statement, invariant.reason, invariant.witness, invariant.about):
        assert value in text


@pytest.mark.parametrize(
    ("name", "module"), [("symmetry/clones", equivariance), ("loop/copies", copies)]
)
def test_a_measure_inside_another_is_described_by_its_own_module(name: str, module) -> None:
    (invariant,) = select_trainings([name])
    assert module.__doc__.strip().splitlines()[0] in invariant.about


def test_a_note_is_described_with_its_invariant() -> None:
    invariant = replace(named("symmetry/pure"), notes=("symmetry/odd",))
    lines = list(describe("symmetry/odd", [invariant]))
    assert lines[0] == "symmetry/pure"
    assert "  notes      symmetry/odd" in lines


def test_a_name_that_is_misspelt_is_answered_with_the_nearest() -> None:
    with pytest.raises(SymmetryError, match="did you mean 'loop/copies'"):
        list(describe("loop/copy", TRAININGS))
