"""Recorded runs: written, read again, compared with, and refused where they are damaged."""

from __future__ import annotations

import json
import shutil
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest

from symmetry import SymmetryError, compare, record
from symmetry.comparison.recorded import read
from tests.cli.process import symmetry

HERE = "tests.comparison.trainings:"
FOLDER = Path(__file__).parent


@pytest.fixture(autouse=True, scope="module")
def here():
    """Work in a small folder: for an import all files of the working folder are mirrored."""
    with chdir(FOLDER):
        yield


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("recorded") / "run.safetensors"
    assert record(HERE + "training", path, dtype="float64", seed=3) == ()
    return path


def test_all_of_it_comes_back(file):
    found = read(file)
    side = found.sides["float64"]
    assert (found.name, found.training) == (str(file), HERE + "training")
    assert (found.seed, found.left_out) == (3, ())
    assert {"python", "torch", "threads"} <= found.made_with.keys()
    assert side.start["model.fc.weight"].shape == (12, 6)
    assert len(side.kept) == len(side.scale) == len(side.response(4)) == 2
    phases = dict.fromkeys(key.phase for key in side.kept[0].parts)
    assert [*phases] == ["data", "forward", "loss", "backward", "gradient", "update"]
    assert all(np.isfinite(array).all() for array in side.kept[1].state.values())


def test_comparing_with_it(file):
    found = compare(str(file), HERE + "training", HERE + "wrong_scale")
    same, other = found.others
    assert (same.same, same.results[0].ratio) == (True, 0.0)
    assert (other.first.phase, other.first.module) == ("forward", "attention")
    assert repr(found).startswith(f"{HERE}training is the same training as {file}")


@pytest.fixture(scope="module")
def wrong(file):
    path = file.with_name("wrong.safetensors")
    record(HERE + "wrong_scale", path, dtype="float64", seed=3)
    return path


@pytest.mark.slow
@pytest.mark.parametrize("first", ["training", "file"])
def test_a_recorded_run_is_compared_with_others(file, wrong, first):
    name = str(file) if first == "file" else HERE + "training"
    found = compare(name, str(wrong), str(file))
    other, same = found.others
    assert (same.same, same.results[0].ratio) == (True, 0.0)
    assert (other.same, other.name) == (False, str(wrong))
    assert (other.first.phase, other.first.module) == ("forward", "attention")
    assert other.first.file == "trainings.py"  # the line was recorded, too


@pytest.mark.slow
def test_recorded_runs_from_other_starts(file):
    path = file.with_name("other.safetensors")
    record(HERE + "sdpa", path, dtype="float64", seed=4)
    found = compare(HERE + "training", str(path))  # from its start, under its seed
    assert found
    assert found.others[0].results[0].ratio > 0
    with pytest.raises(SymmetryError) as raised:
        compare(str(file), str(path))
    assert "begin from other numbers, and recorded runs cannot be given the same" in str(
        raised.value
    )
    assert not compare(str(file), str(path), own_start=True)


def test_names_of_a_recorded_run_can_be_changed(file):
    found = compare(HERE + "training", str(file), rename="fc=full", dtype="float64")
    assert "model.full.weight" in found.others[0].only_in_other
    path = file.with_name("full.safetensors")
    shutil.copy(file, path)
    assert compare(str(file), str(path), rename=["fc=full", "full=fc"])


@pytest.mark.slow
def test_in_another_process_with_two_threads(file, tmp_path):
    path = tmp_path / "found.json"
    names = file, HERE + "training", HERE + "other_eps"
    done = symmetry("compare", *names, "--json", path, cwd=FOLDER, OMP_NUM_THREADS="2")
    assert done.status == 1, done.err
    same, other = json.loads(path.read_text())["others"]
    assert (same["same"], other["first"]["phase"]) == (True, "update")
    assert "threads is 2, and was " in same["notes"][0]


@pytest.mark.slow
def test_what_is_too_large_is_left_out(file, tmp_path):
    path = tmp_path / "small.safetensors"
    size = file.stat().st_size / 2 / 2**30
    left_out = record(HERE + "training", path, dtype="float64", max_size=size)
    assert left_out
    assert path.stat().st_size < file.stat().st_size
    found = compare(str(path), HERE + "training")
    assert found
    assert f"not recorded: {left_out[0]}" in repr(found)


@pytest.mark.parametrize(
    ("change", "phrase"),
    [
        (lambda data: data[:-100], "it may be cut off"),
        (lambda data: data[:4], "it may be cut off"),
        (lambda data: data[:-1] + bytes([data[-1] ^ 1]), "has been changed"),
        (lambda data: data.replace(rb"\"format\": 2", rb"\"format\": 9"), "has format 9, and this"),
        (lambda data: data.replace(rb"\"digest\"", rb"\"digits\""), "is no recorded run"),
        (lambda data: data.replace(rb"\"start\"", rb"\"stare\""), "do not fit"),
    ],
)
def test_what_is_damaged(file, tmp_path, change, phrase):
    path = tmp_path / "damaged.safetensors"
    path.write_bytes(change(file.read_bytes()))
    with pytest.raises(SymmetryError) as raised:
        compare(str(path), HERE + "training")
    assert phrase in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_cannot_be_recorded(tmp_path):
    for name, path, phrase in (
        (HERE + "raising", "run.safetensors", "it does not run: step(0) raised ValueError"),
        (HERE + "unseeded", "run.safetensors", "does not repeat itself"),
        (HERE + "training", "run.pt", "is a file that ends in .safetensors"),
        ("numba", "run.safetensors", "only trainings are recorded"),
    ):
        with pytest.raises(SymmetryError) as raised:
            record(name, tmp_path / path)
        assert phrase in str(raised.value)
