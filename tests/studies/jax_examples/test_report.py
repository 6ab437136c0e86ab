"""The examples are found, definitions are taken out of files, and lines become rows of a table."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import pytest

from tests.studies.jax_examples import sources
from tests.studies.jax_examples.data import images, named, texts
from tests.studies.jax_examples.examples import listed
from tests.studies.jax_examples.reasons import REASONS
from tests.studies.jax_examples.report import LINES, MARKDOWN, render
from tests.studies.lines import suspicious

COMMITTED = Path("reports", LINES)
EXAMPLE = """
import missing_library
import math

RATE, SIZE = 0.5, 512

class Model:
    width = 512

def main(steps):
    def step(x):
        return rate * x + math.floor(1.5) + Model.width

    return download(steps)

raise SystemExit
"""


@pytest.fixture(autouse=True)
def a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make an example of each kind of file."""
    (tmp_path / "optax").mkdir()
    (tmp_path / "optax" / "script.py").write_text(EXAMPLE)
    cells = [{"cell_type": "code", "source": ["!pip install it\n", EXAMPLE]}]
    (tmp_path / "optax" / "notebook.ipynb").write_text(json.dumps({"cells": cells}))
    monkeypatch.setenv(sources.VARIABLE, str(tmp_path))


@pytest.mark.parametrize("file", ["script.py", "notebook.ipynb"])
def test_definitions_are_taken_and_nothing_else_is_done(file):
    its = sources.taken("optax", file, also=("RATE",), numbers={512: 4})
    assert (its.RATE, its.SIZE, its.Model.width) == (0.5, 4, 4)
    assert its.inner("main.step", rate=3)(2) == 11
    assert not hasattr(its, "missing_library")
    assert its.Model.__module__.endswith("_of_optax")


def test_a_line_of_an_example_is_named_without_the_folder_of_the_checkouts():
    function = sources.taken("optax", "script.py").main
    assert function.__code__.co_filename == "optax/script.py"
    assert inspect.getsource(function).startswith("def main(steps):")


def test_what_is_given_stands_in_the_place_of_what_a_file_has():
    assert sources.taken("optax", "script.py", also=("RATE",), RATE=0.1).RATE == 0.1


def test_each_library_has_trainings_and_each_names_its_file():
    found = [*listed()]
    assert len({each.target for each in found}) == len(found) >= 40
    assert {"Flax Linen", "Flax NNX", "Equinox", "optax", "Haiku", "JAX"} < {
        each.library for each in found
    }
    assert all(each.path.endswith((".py", ".ipynb")) for each in found if each.library != "Keras")


def test_batches_depend_on_the_number_of_the_step_alone():
    one, again, other = (named(images(2, 2))(number)["image"] for number in (1, 1, 2))
    assert (one == again).all()
    assert (one != other).any()
    padded = texts(5, 9, padding=2)(0)
    assert [int((row == 0).sum()) for row in padded] == [0, 1, 2, 0]


def test_what_is_accused_has_a_reason():
    lines = [json.loads(text) for text in COMMITTED.read_text("utf-8").splitlines()]
    names = {each.target: each.name for each in listed()}
    assert {names[line["target"]] for line in lines if suspicious(line)} == REASONS.keys()


def test_the_report_has_a_row_for_each_line():
    lines: dict[str, Any] = {}
    for text in COMMITTED.read_text("utf-8").splitlines():
        line = json.loads(text)
        lines[line["target"]] = line
    text = render(lines).contents(Path("reports"))[Path("reports", MARKDOWN)]
    assert isinstance(text, str)
    assert sum(row.count("` |") + row.count(") |") > 0 for row in text.splitlines()) >= len(lines)
