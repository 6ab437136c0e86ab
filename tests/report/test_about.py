"""What is printed of an invariant, a note, or a name that is neither."""

from __future__ import annotations

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.invariants.catalogue import catalogue
from symmetry.invariants.loop import copies, modes
from symmetry.report.about import describe, problem_lines, topics
from tests.catalogues import STEPS, TRAININGS, named, select_trainings
from tests.report.checks import HOLDS, LOGITS, checked


def test_an_invariant_is_described_with_the_documentation_of_its_measure() -> None:
    invariant = named("symmetry/repeatable")
    text = "\n".join(describe(invariant.name, STEPS))
    for value in (invariant.statement, invariant.reason, invariant.witness):
        assert value in text
    assert " ".join(invariant.about.split()) in " ".join(text.split())


def test_the_statement_is_not_repeated() -> None:
    (invariant,) = select_trainings(["loop/modes"])
    assert invariant.about.startswith("``loop/modes``: a model that is trained in training mode")
    assert "\n".join(describe("loop/modes", TRAININGS)).count("at first stays in it") == 1


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("training/gradient", "--only NAME"),
        ("ranks/world", "--ranks N"),
        ("resume/state", "--resume-with ARGUMENTS"),
    ],
)
def test_an_invariant_that_is_no_default_names_its_option(name: str, option: str) -> None:
    assert f"  default    no: it is checked with {option}" in describe(name, catalogue())
    assert not any("default" in line for line in describe("loop/modes", TRAININGS))


def test_a_problem_comes_with_its_law_and_a_cure() -> None:
    first, *rest = problem_lines(checked(LOGITS, HOLDS))
    assert first.startswith("train.py:")
    (law,) = select_trainings(["loss/inputs"])
    assert f"loss/inputs: {law.statement}" in rest
    assert f"  reason     {law.reason}" in rest
    assert not [*problem_lines(checked(HOLDS))]


@pytest.mark.parametrize(("name", "module"), [("loop/copies", copies), ("loop/modes", modes)])
def test_a_measure_inside_another_is_described_by_its_own_module(name: str, module) -> None:
    (invariant,) = select_trainings([name])
    assert module.__doc__.strip().splitlines()[0] in invariant.about


def test_each_invariant_of_trainings_has_a_meaning_of_its_own() -> None:
    meanings = [invariant.about for invariant in TRAININGS]
    assert all(meanings)
    assert len(meanings) == len({*meanings})


def test_a_note_has_a_meaning_of_its_own() -> None:
    title, given, gate, _, *text = describe("loop/frozen", TRAININGS)
    assert title == "loop/frozen, a note"
    assert given.startswith("  given by   loop/modes: a model that is trained in training mode")
    assert "--gate loop/frozen" in gate
    assert "running statistics move" in " ".join(text)


def test_a_name_that_is_misspelt_is_answered_with_the_nearest() -> None:
    with pytest.raises(SymmetryError, match="did you mean loop/copies"):
        list(describe("loop/copy", TRAININGS))
    with pytest.raises(SymmetryError, match="did you mean ranks"):
        list(describe("rank", TRAININGS))


@pytest.mark.parametrize("name", topics())
def test_each_topic_has_a_short_text(name: str) -> None:
    lines = [*describe(name, TRAININGS)]
    assert 1 <= len(lines) <= 20
