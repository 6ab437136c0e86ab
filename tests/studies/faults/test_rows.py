"""Rows of the zoo: each is measured once, whatever becomes of the study, and what they hold."""

from __future__ import annotations

import json
from functools import partial

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.steps.drawn_cases import draw_cases
from tests.faulty.trainings import FAULTS
from tests.studies.faults import rows, steps, trainings
from tests.studies.faults.rows import measured

BROKEN = "faulty/steps/slope_forgotten"


def quiet(*_):
    """Say nothing."""


def logging(folder, name):
    """Note that an entry is measured."""
    if name == "fails":
        raise ValueError("no")
    with (folder / "log").open("a") as file:
        print(name, file=file)
    return {"by": [name]}


def log(folder):
    return (folder / "log").read_text().split()


def test_a_study_goes_on_where_it_stopped(tmp_path):
    file, measure, told = tmp_path / "rows.jsonl", partial(logging, tmp_path), []
    with pytest.raises(SymmetryError, match="fails cannot be measured: no"):
        measured(["a", "b", "fails", "c"], measure, file, 1, quiet)
    assert log(tmp_path) == ["a", "b"]
    found = measured(["d", "a", "b"], measure, file, 1, lambda *row: told.append(row))
    assert log(tmp_path) == ["a", "b", "d"]
    assert [(name, row["by"]) for name, row in found.items()] == [(n, [n]) for n in "dab"]
    assert told == [(1, 1, found["d"])]
    assert measured(["d", "a", "b"], measure, file, 1, quiet) == found
    assert log(tmp_path) == ["a", "b", "d"]


def test_a_row_of_other_code_is_measured_anew(tmp_path, monkeypatch):
    file, measure = tmp_path / "rows.jsonl", partial(logging, tmp_path)
    measured(["a"], measure, file, 1, quiet)
    monkeypatch.setattr(rows, "code", lambda: "other")
    assert measured(["a"], measure, file, 1, quiet)["a"]["code"] == "other"
    assert log(tmp_path) == ["a", "a"]
    assert len(file.read_text().splitlines()) == 1


def test_entries_are_measured_side_by_side(tmp_path):
    names = [json.dumps({"by": [name]}) for name in "abc"]
    found = measured(names, json.loads, tmp_path / "rows.jsonl", 2, quiet)
    assert [row["by"] for row in found.values()] == [["a"], ["b"], ["c"]]
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 3


def test_a_row_says_what_caught_a_step(monkeypatch):
    monkeypatch.setattr(steps, "draw_cases", partial(draw_cases, 10))
    row = steps.measures()[BROKEN]()
    (fault,) = (fault for fault in steps.FAULTY if fault.name == "slope_forgotten")
    assert json.loads(json.dumps(row)) == row
    found = steps.catch(fault, row)
    assert found.caught
    assert not found.rounding
    assert 1 <= found.cases <= 10
    assert found.smallest.work <= 8


def test_a_row_says_what_caught_a_training_and_by_how_much():
    fault = next(f for f in FAULTS if f.caught_by == ("symmetry/permutation", "symmetry/clones"))
    row = trainings.measures()[f"faulty/trainings/{fault.name}"]()
    found = trainings.fared(fault.name, json.loads(json.dumps(row)), fault)
    assert found.as_it_should_be
    assert set(found.caught_by) >= set(fault.caught_by)
    assert min(found.ratios.values()) > 1000
