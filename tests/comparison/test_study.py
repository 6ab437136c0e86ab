from __future__ import annotations

import dataclasses

import pytest

from symmetry.checker.case import Case
from symmetry.comparison import study as module
from symmetry.comparison.compare import ComparisonListener
from symmetry.comparison.machine import this_machine
from symmetry.comparison.study import GROWING, Trial, full_study, study
from symmetry.comparison.task import task_of_case, task_of_dataset
from symmetry.experiment import Settings
from tests.tiny import tiny_data

CASE = dataclasses.replace(GROWING, iterations=2)
SETTINGS = Settings(hidden=3, iterations=2)


def only_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "installed", lambda: ("numpy",))


def test_the_whole_study(monkeypatch: pytest.MonkeyPatch) -> None:
    only_numpy(monkeypatch)
    trials = (
        Trial(2, "float64", "numpy", ("threads=1",)),
        Trial(2, "float64", "torch", ("threads=1",)),
    )
    found = full_study(tiny_data(), SETTINGS, ComparisonListener(), trials, CASE)
    assert found.whole
    assert found.frameworks is not None
    assert [run.name for run in found.frameworks.runs] == ["numpy"]
    assert {each.reason for each in found.frameworks.left_out} == {"not installed"}
    assert len(found.frameworks.left_out) == 4
    (trial,) = found.trials  # that of trainers that are not installed is not made
    assert [run.name for run in trial.runs] == ["numpy", "numpy[threads=1]"]
    assert (trial.facts.hidden, trial.facts.dtype) == (2, "float64")
    assert found.growth is not None
    assert found.growth.facts.case == CASE
    assert found.growth.threads == 1


def test_a_study_of_named_trainers() -> None:
    subjects = module.parse_subjects(("numpy",))
    found = study(task_of_dataset(tiny_data(), SETTINGS), subjects, None, ComparisonListener())
    assert not found.whole
    assert found.growth is None
    assert found.frameworks is not None
    assert found.frameworks.left_out == ()
    grown = study(task_of_case(CASE), subjects, None, ComparisonListener())
    assert grown.frameworks is None
    assert grown.growth is not None
    assert grown.growth.threads == 1


def test_one_ulp_becomes_another_network_if_any_trainer_makes_one() -> None:
    # Which trainer makes the ulp depends on the machine; that it grows is a fact of the case.
    case: Case = GROWING
    assert (case.weights, case.dtype) == ("zero", "float64")
    task = task_of_case(case)
    name = f"{__file__.replace('test_study', 'trainers')}:one_ulp"
    (run,) = study(task, module.parse_subjects((name,)), 1, ComparisonListener()).growth.runs  # type: ignore[union-attr]
    assert run.split_in == 2
    assert run.history[1].ulps == 1
    assert run.spreads[1] < 1e-14
    assert run.spreads[-1] > 0.5


def test_the_machine_has_a_processor() -> None:
    machine = this_machine()
    assert machine.processor
    assert machine.cores >= 1
    assert all(name == name.strip() for name in machine.instructions)
