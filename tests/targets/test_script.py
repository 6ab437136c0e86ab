"""Scripts as targets: what names one, and what is said of what is none."""

from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.checker.options import Options
from symmetry.targets.script import script, script_named


@pytest.fixture(autouse=True)
def everything_is_installed(monkeypatch):
    """Nothing is run here, so that no library need be there."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, None))


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Return a script, and work beside it."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "train.py"
    file.write_text("def helper():\n    pass\n\n\nhelper()\n")
    return file


def test_it_is_named_as_it_is_typed_in_a_shell(train):
    assert script("train.py", ["--name", "a b"]).name == "train.py --name 'a b'"
    assert script_named(["train.py", "1"]).name == "train.py 1"
    assert script_named(["-m", "package.train", "1"]).name == "-m package.train 1"


def test_it_goes_on_only_from_its_first_step_and_may_be_pinned(train):
    found = script(train, expect_units={"fc1": 3})
    assert found.training.sequential
    assert found.pins == {"fc1": 3}
    assert found.plan(Options(expect_units={"fc2": 4})).target.pins == {"fc1": 3, "fc2": 4}


@pytest.mark.parametrize("given", [{}, {"path": "train.py", "module": "train"}])
def test_it_is_a_path_or_a_module(given):
    with pytest.raises(SymmetryError, match="a script is a path, or a module"):
        script(**given)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("trian.py", None, r"there is no file .*trian\.py"),
        ("notebook.ipynb", "{}", "is no notebook that can be read"),
        ("broken.py", "x = 1\ndef (", r"is not valid Python: .* \(line 2\)"),
    ],
)
def test_what_is_no_script_is_one_line(train, name, text, message):
    if text is not None:
        (train.parent / name).write_text(text)
    with pytest.raises(SymmetryError, match=message) as caught:
        script(name)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("missing", ["torch", "greenlet"])
def test_what_it_needs_is_named(train, missing, monkeypatch):
    specs = {"torch": ModuleSpec("torch", None), "greenlet": ModuleSpec("greenlet", None)}
    monkeypatch.setattr(importlib.util, "find_spec", (specs | {missing: None}).get)
    with pytest.raises(SymmetryError, match=f"a script needs {missing}, which is not installed"):
        script("train.py")
