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
    comparing = ["compare", str(run), *names, "--json", str(path)]
    recording = ["record", HERE + "sharded", str(recorded_by_ranks(run)), "--steps", "1"]
    file = run.with_name("commands.json")
    file.write_text(json.dumps([comparing, recording]))
    done = torchrun("tests.commands", file)
    assert done.returncode == 0, done.stderr
    (one, record), (other, _) = (json.loads(file.with_suffix(f".{n}").read_text()) for n in (0, 1))
    assert one["status"] == 1, one
    assert (one["out"] + other["out"]).count(" training as ") == len(SAME)  # one rank tells it
    assert record["status"] == 0, record
    others = json.loads(path.read_text())["others"]
    return {other["name"].removeprefix(HERE): other for other in others}


def recorded_by_ranks(run):
    """Return where two ranks record a run."""
    return run.with_name("ranks.safetensors")


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


@pytest.mark.usefixtures("found")
def test_a_run_recorded_on_two_ranks(run):
    from symmetry import compare

    assert compare(HERE + "whole", str(recorded_by_ranks(run)))
