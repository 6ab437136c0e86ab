"""The oldest PyTorch that trainings are checked with."""

from __future__ import annotations

import importlib
import tomllib
from pathlib import Path

import pytest

from symmetry import SymmetryError
from tests.conftest import needs

pytestmark = needs("torch")


def test_an_older_one_is_refused_in_one_line(monkeypatch):
    import symmetry.trainings.torch as trainings

    monkeypatch.setattr("torch.__version__", "2.5.1+cpu")
    with pytest.raises(SymmetryError) as raised:
        importlib.reload(trainings)
    assert str(raised.value) == (
        "PyTorch 2.5.1+cpu is too old: a training needs 2.6 or newer "
        "(pip install 'unit-symmetry[torch]')"
    )


def test_it_is_the_one_that_the_extra_installs():
    from symmetry.trainings.torch import OLDEST

    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
    extra = project["project"]["optional-dependencies"]["torch"]
    assert f"torch>={OLDEST[0]}.{OLDEST[1]}" in extra
