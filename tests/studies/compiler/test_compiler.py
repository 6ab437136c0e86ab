"""The study of the compiler: rows, shrinking, and the report that was written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from symmetry.targets.sizes.arguments import spell
from tests.conftest import needs
from tests.studies.compiler import row, trainings
from tests.studies.compiler.__main__ import new_rows, read
from tests.studies.compiler.judged import JUDGED
from tests.studies.compiler.layers import LAYERS, LOSSES, keeps_shape
from tests.studies.compiler.report import LINES, OUTCOMES, render

REPORTS = Path(__file__).parents[3] / "reports"


def test_the_report_shows_what_was_measured():
    rows = read(REPORTS / LINES)
    assert rows
    assert {each["outcome"] for each in rows} <= {*OUTCOMES}
    assert render(rows).differences(REPORTS) == ()


@needs("g++")
def test_the_script_of_a_bug_prints_what_the_report_says(tmp_path):
    for bug in set(JUDGED.values()):
        done = subprocess.run(
            [sys.executable, "-"],
            input=bug.script,
            capture_output=True,
            text=True,
            env={**os.environ, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)},
        )
        assert done.stdout == bug.output, done.stderr


def test_a_row_has_all_arguments_of_its_architecture():
    for each in read(REPORTS / LINES):
        assert {*each["arguments"]} == {*trainings.STRATEGIES}
        assert each["line"] == spell(each["arguments"])


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize(("width", "size", "batch"), [(1, 1, 2), (6, 4, 2)])
def test_each_layer_runs_at_small_sizes(kind, width, size, batch):
    for number, word in enumerate(LAYERS[kind]):
        loss = [*LOSSES][number % len(LOSSES)]
        for plus in ("", "+")[: 1 + keeps_shape(kind, word)]:
            given = {"width": width, "size": size, "batch": batch, "loss": loss}
            changes = {
                **trainings.PLAIN,
                **given,
                "layers": f"{kind}/{plus}{word}",
                "dtype": "float64",
            }
            _, step, extras = trainings.training(**changes, compiles=False)
            step(extras["batch"](0))


@needs("g++")
@pytest.mark.filterwarnings("ignore:os.fork", "ignore:This process")  # of JAX, if it was imported
def test_architectures_are_compared_each_in_a_process(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("TORCHINDUCTOR_COMPILE_THREADS", "1")
    normalised = {**trainings.PLAIN, "layers": "series/batch-norm", "batch": 1}
    same, refused = new_rows([trainings.PLAIN, normalised], [])
    assert (same["outcome"], refused["outcome"]) == ("same", "not run")
    assert same["ratio"] < same["limit"]
    assert same["kernels"] > 0
    assert same["graph_breaks"] == []
    assert same["excess"] < 10
    assert "Expected more than 1 value per channel" in refused["why"]
    assert [*new_rows([trainings.PLAIN, normalised], [same, refused])] == []


def test_a_difference_is_told(monkeypatch):
    def other(compute, **_):
        return lambda *data: compute(*data) * 1.001

    monkeypatch.setattr(trainings.torch, "compile", other)
    found = row.row_of(trainings.PLAIN)
    assert found["outcome"] == "differs"
    assert found["ratio"] > 30
    assert found["compiled"] > 100 * found["eager"]


def test_the_smallest_architecture_is_found(monkeypatch):
    def told(arguments):
        fails = "gelu" in arguments["layers"] and arguments["width"] > 2
        return {"outcome": "differs" if fails else "same", "why": ""}

    monkeypatch.setattr(row, "compared", lambda arguments: arguments)
    monkeypatch.setattr(row, "told", told)
    monkeypatch.setattr(row, "errors", lambda _: {})
    values = "image/conv3/+gelu/max-pool", 30, 9, 5, "nll", "adamw", True, "bfloat16"
    large = dict(zip(trainings.STRATEGIES, values, strict=True))
    found = row.smallest({**told(large), "arguments": large, "line": ""})
    small = "layers=image/gelu width=3 size=1 batch=1 loss=mean-square rule=sgd dynamic=False"
    assert found["line"] == f"{small} dtype=float32"
