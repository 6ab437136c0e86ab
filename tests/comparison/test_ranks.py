"""Two ranks against one process: under ``torchrun``, which starts once for all of them."""

from __future__ import annotations

import json

import pytest

from symmetry import record
from tests.test_ranks import torchrun

pytestmark = pytest.mark.slow  # tests/test_ranks.py is quick

HERE = "tests.comparison.ranks:"
SAME = ("replicated", "sharded", "in_parts", "averaged")
OTHERS = {
    "summed": ("gradient", "model.0.weight"),
    "keeps_a_bias": ("gradient", "model.3.bias"),
    "partly_divided": ("gradient", "model.1.weight"),
}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a recorded run in one process."""
    path = tmp_path_factory.mktemp("ranks") / "run.safetensors"
    assert record(HERE + "whole", path, steps=1, dtype="float32") == ()
    return path


@pytest.fixture(scope="module")
def found(run):
    """Return how all trainings on two ranks compare with it, by their names."""
    path = run.with_name("found.json")
    names = [HERE + name for name in (*SAME, *OTHERS)]
    done = torchrun("symmetry", "compare", run, *names, "--json", path)
    assert done.returncode == 1, done.stderr
    assert done.stdout.count(" training as ") == len(SAME)  # one rank tells it
    others = json.loads(path.read_text())["others"]
    return {other["name"].removeprefix(HERE): other for other in others}


@pytest.mark.parametrize("name", SAME)
def test_the_same(found, name):
    assert found[name]["same"], found[name]
    ratios = [result["ratio"] for result in found[name]["results"]]
    assert len(ratios) == 1  # as written
    assert ratios[0] < 10


@pytest.mark.parametrize(("name", "phase", "array"), [(n, *of) for n, of in OTHERS.items()])
def test_what_differs_is_named(found, name, phase, array):
    other = found[name]
    assert not other["same"]
    assert other["first"]["phase"] == phase
    assert array in other["first"]["text"]


def test_a_run_recorded_on_two_ranks(run):
    path = run.with_name("ranks.safetensors")
    done = torchrun("symmetry", "record", HERE + "sharded", path, "--steps", 1)
    assert done.returncode == 0, done.stderr
    from symmetry import compare

    assert compare(HERE + "whole", str(path))
