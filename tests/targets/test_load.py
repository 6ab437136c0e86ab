"""Importing the user's code by module name or by file, and what is said if that fails."""

from __future__ import annotations

import os
import sys

import pytest

from symmetry.targets.resolve import resolve
from tests.targets.files import message, write


@pytest.mark.parametrize("source", ["path/to/file", "my-module", "..train", "a..b", "train.pyc "])
def test_sources_that_are_neither_module_nor_file(source):
    assert message(f"{source}:step") == (
        f"'{source}:step': {source} is neither a module such as package.module "
        "nor a Python file such as path/to/file.py"
    )


def test_module_in_the_working_directory(folder):
    write(folder / "mine" / "__init__.py", "")
    write(folder / "mine" / "train.py")
    target = resolve("mine.train:step")
    assert (target.name, target.target) == ("mine.train:step", sys.modules["mine.train"].step)
    assert not target.builtin


def test_module_in_the_working_directory_comes_first(folder, monkeypatch):
    write(folder / "elsewhere" / "train_here.py", "step = None")
    write(folder / "train_here.py")
    monkeypatch.syspath_prepend(folder / "elsewhere")
    sys.path.append(str(folder))
    assert callable(resolve("train_here:step").target)


def test_file_imports_what_lies_beside_it_now_and_later(folder):
    write(folder / "place" / "beside.py", "value = 1")
    write(folder / "place" / "beside_later.py", "value = 2")
    write(
        folder / "place" / "train.py",
        """
        from beside import value
        def step(x, y, w1, w2, lr):
            import beside_later
            return value, beside_later.value
        """,
    )
    target = resolve("place/train.py:step")
    assert sys.path[0] == str(folder / "place")
    assert target.target(0, 0, 0, 0, 0) == (1, 2)


def test_file_in_a_package_may_use_relative_imports_and_names_of_frameworks(folder):
    write(folder / "pkg" / "__init__.py", "")
    write(folder / "pkg" / "sub" / "__init__.py", "")
    write(folder / "pkg" / "base.py", "value = 5")
    write(folder / "pkg" / "sub" / "decimal.py", "raise RuntimeError('not the real decimal')")
    write(folder / "pkg" / "sub" / "beside.py", "value = 6")
    write(
        folder / "pkg" / "sub" / "train.py",
        """
        import decimal
        import beside
        from ..base import value
        def step(x, y, w1, w2, lr): return value, beside.value, decimal.Decimal(7)
        """,
    )
    sys.modules.pop("decimal", None)
    target = resolve("pkg/sub/train.py:step")
    assert target.target(0, 0, 0, 0, 0) == (5, 6, 7)
    assert target.target.__module__ == "pkg.sub.train"


def test_file_named_like_a_module_that_is_in_use(folder):
    import json

    write(folder / "json.py")
    assert resolve("json.py:step").target.__module__ == "json_"
    assert sys.modules["json"] is json


def test_a_changed_file_is_read_again(folder):
    file = write(folder / "train.py", "def step(x, y, w1, w2, lr): return 1")
    assert resolve("train.py:step").target(0, 0, 0, 0, 0) == 1
    stamp = file.stat().st_mtime
    write(file, "def step(x, y, w1, w2, lr): return 2")
    os.utime(file, (stamp, stamp))
    assert resolve("train.py:step").target(0, 0, 0, 0, 0) == 2
    assert not (folder / "__pycache__").exists()


def test_two_versions_of_a_program_keep_to_their_own_modules(folder):
    for version in ("old", "new"):
        write(folder / version / "model.py", f"value = {version!r}")
        write(folder / version / "layers" / "__init__.py", "")
        write(folder / version / "layers" / "dense.py", f"value = {version!r}")
        write(
            folder / version / "train.py",
            """
            import layers.dense, model
            def step(x, y, w1, w2, lr): return model.value, layers.dense.value
            """,
        )
    old, new = resolve("old/train.py:step"), resolve("new/train.py:step")
    assert old.target(0, 0, 0, 0, 0) == ("old", "old")
    assert new.target(0, 0, 0, 0, 0) == ("new", "new")


def test_missing_module(folder):
    assert message("nowhere.train:step") == (
        f"'nowhere.train:step': No module named 'nowhere' "
        f"(looked in {folder} first, then where Python looks): "
        "install it, or go to the folder that has it"
    )
    write(folder / "flat.py")
    assert message("flat.train:step").startswith(
        "'flat.train:step': No module named 'flat.train'; 'flat' is not a package (looked "
    )


def test_missing_file(folder):
    assert message("nowhere/train.py:step") == (
        f"'nowhere/train.py:step': there is no file {folder / 'nowhere' / 'train.py'}, and no "
        f"folder {folder / 'nowhere'}"
    )
    (folder / "there").mkdir()
    assert message("there/train.py:step").endswith("train.py; the folder has no script")
    for name in "abcdef":
        write(folder / "there" / f"{name}_long_name_{name}.py")
    names = ", ".join(f"{name}_long_name_{name}.py" for name in "abcde")
    listed = f"; the folder has {names} and others"
    assert message("there/train.py:step").endswith(listed)
    (folder / "folder.py").mkdir()
    assert "there is no file" in message("folder.py:step")


def test_a_folder_is_no_module(folder):
    (folder / "place").mkdir()
    assert message("place:step") == (
        "'place:step': place is a folder, expected a Python file in it"
    )


@pytest.mark.parametrize("source", ["train.py", "train"])
@pytest.mark.parametrize(
    ("text", "raised"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero (train.py:1)"),
        ("\nraise SystemExit", "SystemExit (train.py:2)"),
        ("import sys; sys.exit('usage:\\nno')", "SystemExit: usage: (train.py:1)"),
        ("import not_there", "ModuleNotFoundError: No module named 'not_there' (train.py:1)"),
        ("def step(:", "SyntaxError: invalid syntax (train.py:1)"),
        ("class E(BaseException): ...\nraise E", "E (train.py:2)"),
    ],
)
def test_import_that_raises(folder, source, text, raised):
    write(folder / "train.py", text)
    assert message(f"{source}:step") == (f"'{source}:step': importing {source} raised {raised}")
    assert "train" not in sys.modules


def test_ctrl_c_while_importing_passes(folder):
    write(folder / "train.py", "raise KeyboardInterrupt")
    for name in ("train.py:step", "train:step"):
        with pytest.raises(KeyboardInterrupt):
            resolve(name)
