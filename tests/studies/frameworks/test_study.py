from __future__ import annotations

import dataclasses

import pytest

from symmetry.experiment.settings import Settings
from symmetry.law.case import Case
from tests.studies.frameworks import compare as comparing
from tests.studies.frameworks.compare import ComparisonListener, compare
from tests.studies.frameworks.entrant import parse_entrants
from tests.studies.frameworks.environment import this_machine
from tests.studies.frameworks.study import GROWING, TRIALS, full_study
from tests.studies.frameworks.task import Task, task_of_case
from tests.tiny import tiny_data

CASE = dataclasses.replace(GROWING, iterations=2)
SETTINGS = Settings(hidden=3, iterations=2)


def test_the_whole_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparing, "BUILTIN", ("numpy", "none-of-them"))
    own = Settings(2, 2, dtype="float64")
    trials = ((own, ("numpy", "numpy[threads=1]")), (own, ("torch", "torch[threads=1]")))
    found = full_study(tiny_data(), SETTINGS, ComparisonListener(), trials, CASE)
    assert [run.name for run in found.main.runs] == ["numpy"]
    assert list(found.main.left_out) == ["none-of-them"]
    (trial,) = found.trials  # that of trainers that do not work is not made
    assert [run.name for run in trial.runs] == ["numpy", "numpy[threads=1]"]
    assert (trial.task.settings.hidden, trial.task.settings.dtype) == (2, "float64")
    assert found.growth is not None
    assert found.growth.task.case == CASE
    assert found.growth.threads == 1
    assert found.comparisons == (found.main, trial, found.growth)


def test_what_is_tried_is_a_trainer_without_settings_and_then_with_some() -> None:
    for _, names in TRIALS:
        first, *others = parse_entrants(names)
        assert first.name == first.trainer
        assert {other.trainer for other in others} == {first.trainer}


def test_a_case_is_compared_on_one_thread() -> None:
    entrants = parse_entrants(("numpy",))
    assert compare(Task(tiny_data(), SETTINGS), entrants).threads is None
    grown = compare(task_of_case(CASE), entrants)
    assert grown.task.case == CASE
    assert grown.threads == 1


def test_one_ulp_becomes_another_network_if_any_trainer_makes_one() -> None:
    # Which trainer makes the ulp depends on the machine; that it grows is a fact of the case.
    case: Case = GROWING
    assert (case.weights, case.dtype) == ("zero", "float64")
    task = task_of_case(case)
    name = f"{__file__.replace('test_study', 'steps')}:one_ulp"
    (run,) = compare(task, parse_entrants((name,))).runs
    assert run.split == run.history[1]
    assert run.split.ulps == 1
    assert run.spreads[1] < 1e-14
    assert run.spreads[-1] > 0.5


def test_the_machine_has_a_processor() -> None:
    machine = this_machine()
    assert machine["processor"].strip()
    assert int(machine["cores"]) >= 1
