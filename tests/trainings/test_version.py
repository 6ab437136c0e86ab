"""The oldest PyTorch that trainings are checked with."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from symmetry import SymmetryError
from symmetry.trainings import training
from symmetry.trainings.training import OLDEST, TrainingTarget


def test_an_older_one_is_refused_in_one_line(monkeypatch):
    monkeypatch.setattr(training, "version", lambda _: "2.5.1+cpu")
    with pytest.raises(SymmetryError) as raised:
        TrainingTarget("train.py:training", lambda: None).start()
    assert str(raised.value) == (
        "PyTorch 2.5.1+cpu is too old: a training needs 2.6 or newer "
        "(pip install 'unit-symmetry[torch]')"
    )


def test_it_is_the_one_that_the_extra_installs():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))
    extra = project["project"]["optional-dependencies"]["torch"]
    assert f"torch>={OLDEST[0]}.{OLDEST[1]}" in extra
