"""Notebooks are read as scripts, and each line has its cell."""

from __future__ import annotations

import json

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.base.notebooks import cell_of, code_in, text_lines


@pytest.fixture
def notebook(tmp_path):
    def write(*cells: tuple[str, str]):
        found = [{"cell_type": kind, "source": text.splitlines(True)} for kind, text in cells]
        (file := tmp_path / "book.ipynb").write_text(json.dumps({"cells": found}))
        return file

    return write


def test_the_code_of_its_cells_comes_in_order(notebook):
    file = notebook(("code", "a = 1\nb = 2"), ("markdown", "# Title"), ("code", "c = a + b"))
    assert code_in(file) == b"a = 1\nb = 2\nc = a + b\n"
    assert text_lines(str(file)) == ["a = 1\n", "b = 2\n", "c = a + b\n"]
    line = cell_of(str(file), 3)
    assert line is not None
    assert (line.cell, line.line, line.text) == (3, 1, "c = a + b\n")
    assert cell_of(str(file), 4) is None
    assert cell_of("train.py", 1) is None


@pytest.mark.parametrize("magic", ["%matplotlib inline", "!ls", "  %%time", "x = !ls", "help?"])
def test_a_magic_is_refused_with_its_line(notebook, magic):
    file = notebook(("markdown", "text"), ("code", f"a = 1\n{magic}"))
    with pytest.raises(SymmetryError, match="cell 2, line 2 is no Python: "):
        code_in(file)
    assert text_lines(str(file)) == []


@pytest.mark.parametrize("line", ["x = a % b", "y = not x != z", "print('%d' % 3)", "a ? b"])
def test_python_is_no_magic(notebook, line):
    assert code_in(notebook(("code", line))).decode() == f"{line}\n"


def test_another_file_is_no_notebook(tmp_path):
    (file := tmp_path / "a.ipynb").write_text("{}")
    with pytest.raises(SymmetryError, match="no notebook"):
        code_in(file)
