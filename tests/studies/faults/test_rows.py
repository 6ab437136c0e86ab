"""Rows of the zoo: each is measured once, whatever becomes of the study, and what they hold."""

from __future__ import annotations

import json
from functools import partial

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.steps.cases.strategies import draw_cases
from tests.faulty.trainings import FAULTS
from tests.studies.faults import rows, steps, trainings
from tests.studies.faults.rows import measured

BROKEN = "faulty/steps/slope_forgotten"


def quiet(*_):
    """Say nothing."""


def one(folder, name):
    with (folder / "log").open("a") as file:
        print(name, file=file)
    return {"by": [name]}


def fails():
    raise ValueError("no")


def log(folder):
    return sorted((folder / "log").read_text().split())


def test_a_study_goes_on_where_it_stopped(tmp_path):
    file = tmp_path / "rows.jsonl"
    measures = {name: partial(one, tmp_path, name) for name in ("a", "b")}
    with pytest.raises(SymmetryError, match="c cannot be measured: no"):
        measured({**measures, "c": fails}, file, 1, quiet)
    assert log(tmp_path) == ["a", "b"]
    told = []
    more = {"d": partial(one, tmp_path, "d"), **measures}
    found = measured(more, file, 1, lambda *row: told.append(row))
    assert log(tmp_path) == ["a", "b", "d"]
    assert [*found] == ["d", "a", "b"]
    assert {name: row["by"] for name, row in found.items()} == {n: [n] for n in "dab"}
    assert told == [(1, 1, found["d"])]
    assert measured(more, file, 1, quiet) == found
    assert log(tmp_path) == ["a", "b", "d"]


def test_a_row_of_other_code_is_measured_anew(tmp_path, monkeypatch):
    file = tmp_path / "rows.jsonl"
    measures = {"a": partial(one, tmp_path, "a")}
    measured(measures, file, 1, quiet)
    monkeypatch.setattr(rows, "code", lambda: "other")
    assert measured(measures, file, 1, quiet)["a"]["code"] == "other"
    assert log(tmp_path) == ["a", "a"]
    assert len(file.read_text().splitlines()) == 1


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
