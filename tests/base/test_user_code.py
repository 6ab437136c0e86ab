"""Which files are the user's own, and how their paths read."""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

import pytest

from symmetry.base import user_code
from symmetry.base.user_code import is_user_code, kind_of, shorten

PACKAGE = Path(user_code.__file__).parents[1]
INSTALLED = "/somewhere/lib/python3/site-packages"


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("/home/me/train.py", "user"),
        (__file__, "user"),
        (str(PACKAGE / "network" / "formulas.py"), "user"),
        (str(PACKAGE / "steps" / "step.py"), "caller"),
        (str(PACKAGE / "steps" / "case.py"), ""),
        (str(Path(sysconfig.get_path("stdlib")) / "json" / "__init__.py"), ""),
        ("<string>", ""),
        ("<frozen importlib._bootstrap>", ""),
        (f"{INSTALLED}/somebody/layers.py", "installed"),
        (f"{INSTALLED}/numpy/_core/numeric.py", ""),
        (f"{INSTALLED}/torch/autograd/graph.py", "backward"),
        (f"{INSTALLED}/torch/optim/sgd.py", "optimizer"),
        (f"{INSTALLED}/torch/nn/modules/linear.py", "forward"),
        (f"{INSTALLED}/torch/utils/data/dataloader.py", ""),
    ],
)
def test_whose_a_file_is(file: str, kind: str) -> None:
    assert kind_of(file) == kind
    assert is_user_code(file) == (kind == "user")


def test_paths_are_shortened_to_where_one_works_or_imports_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, path, away = (tmp_path / name for name in ("here", "path", "away"))
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", ["", str(path)])
    assert shorten(str(here / "models" / "train.py")) == "models/train.py"
    assert shorten(str(path / "library.py")) == "library.py"
    assert shorten(str(away / "other.py")) == (away / "other.py").as_posix()
