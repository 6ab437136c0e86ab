"""Names of scripts, on a command line and as one word."""

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.base.names import split_tail, typed, with_arguments, words_of


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("train.py", ["train.py"]),
        ("sub/train.py --epochs 1", ["sub/train.py", "--epochs", "1"]),
        ("'my folder/train.py' x", ["my folder/train.py", "x"]),
        ("-m package.train --lr 1", ["-m", "package.train", "--lr", "1"]),
        ("train.ipynb", ["train.ipynb"]),
        ("train.py:training", None),
        ("models.py:train_*", None),
        ("package.module:step", None),
        ("numba", None),
        ("-m", None),
        ("it's", None),
        (f"train.py --note {'a' * 300}.py", ["train.py", "--note", f"{'a' * 300}.py"]),
        ("", None),
    ],
)
def test_words(name, words):
    assert words_of(name) == words


def test_a_file_whose_name_has_spaces(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my train.py").touch()
    assert words_of("my train.py") == ["my train.py"]
    assert with_arguments("my train.py", ["--epochs", "1"]) == "'my train.py' --epochs 1"


def test_what_follows_the_dashes_is_the_scripts():
    own, tail = split_tail(["--only", "x", "-m", "package.train", "--", "-m", "--epochs", "1"])
    assert (own, tail) == (["--only", "x", " -m package.train"], ["-m", "--epochs", "1"])
    assert with_arguments(own[-1], tail) == "-m package.train -m --epochs 1"
    assert typed("-m package.train -m --epochs 1") == (["-m", "package.train"], tail)


def test_a_module_that_is_quoted_with_its_arguments_is_no_option():
    assert split_tail(["-m package.train --lr 1"]) == ([" -m package.train --lr 1"], [])


def test_nothing_but_a_script_has_arguments():
    assert with_arguments("numba", []) == "numba"
    with pytest.raises(SymmetryError, match="'numba' is no script, so nothing can follow --"):
        with_arguments("numba", ["1"])
