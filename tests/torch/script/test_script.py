"""A script as a training: it repeats itself, changes nothing, and ends."""

from __future__ import annotations

import gc
import os
import sqlite3
import sys
import time
import weakref
from contextlib import closing
from pathlib import Path

import pytest

from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.finding.find import find
from tests.conftest import slow
from tests.torch.script import scripts
from tests.torch.script.helpers import script, steps_of, written


def test_steps_are_those_of_the_script(folder, capsys):
    training = script("train.py", ["--epochs", "2"])
    assert training.name == "train.py --epochs 2"
    losses = steps_of(training)
    assert len(losses) == 12
    assert steps_of(training) == losses
    exact = steps_of(training, dtype="float64", noise=False)
    assert exact == pytest.approx(losses, rel=1e-5)
    assert capsys.readouterr().out == ""


def test_nothing_changes_in_its_folder_nor_in_the_process(folder):
    before = sys.argv, [*sys.path], dict(os.environ), Path.cwd(), sys.modules["__main__"]
    run = script("train.py").begin()
    run.step()
    other = script("train.py").begin()  # runs take turns
    run.step()
    other.step()
    assert (sys.argv, sys.path, dict(os.environ), Path.cwd(), sys.modules["__main__"]) == before
    assert "network" not in sys.modules
    run.close()
    other.close()
    assert sorted(path.name for path in folder.iterdir()) == ["network.py", "train.py"]


@pytest.mark.parametrize("named", [True, False])
def test_a_script_imports_from_the_working_directory_if_pythonpath_names_it(
    folder, monkeypatch, named
):
    (folder / "scripts").mkdir()
    (folder / "train.py").rename(folder / "scripts" / "train.py")
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])  # for symmetry
    monkeypatch.setenv("PYTHONPATH", "." if named else "")
    training = script("scripts/train.py")
    if named:
        training.begin().step()
    else:
        with pytest.raises(TrainingError, match="No module named 'network'"):
            training.begin()


def test_a_small_file_is_a_copy_whatever_writes_into_it(folder):
    (folder / "data.bin").write_bytes(b"theirs")
    training = written(folder, scripts.WRITES_IN_C)
    training.begin().step()
    training.begin().step()
    training.close()
    assert (folder / "data.bin").read_bytes() == b"theirs"


def test_a_large_file_that_changes_is_told(folder):
    (folder / "data.bin").write_bytes(bytes(2 << 20))
    training = written(folder, scripts.WRITES_IN_C)
    training.begin().step()
    message = f"other.py: {folder / 'data.bin'} changed while it ran"
    with pytest.raises(TrainingError, match=message):
        training.begin()
    with pytest.raises(SymmetryError, match=message):
        training.close()


def test_a_database_named_by_its_whole_path_is_a_copy(folder):
    with closing(sqlite3.connect(folder / "data.db")) as database:
        database.execute("create table losses (step, loss)")
        database.commit()
    before = (folder / "data.db").read_bytes()
    training = written(folder, scripts.DATABASE.format(folder=folder))
    for _ in range(2):
        run = training.begin()
        run.step()
        run.step()
    training.close()
    assert (folder / "data.db").read_bytes() == before


def test_a_small_file_of_a_library_that_changes_by_its_whole_path_is_told(folder):
    (folder / "data.h5").write_bytes(b"theirs")
    text = scripts.WRITES_IN_C.replace("data.bin", str(folder / "data.h5"))
    training = written(folder, text)
    training.begin().step()
    with pytest.raises(SymmetryError, match=f"{folder / 'data.h5'} changed while it ran"):
        training.close()


def test_runs_that_nobody_has_are_ended(folder):
    training = script("train.py")
    models = []
    for _ in range(5):
        run = training.begin()
        run.step()
        models.append(weakref.ref(run.objects.model))
    del run
    gc.collect()
    training.begin().close()
    gc.collect()
    assert [ref() for ref in models] == [None] * 5


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("trian.py", "there is no file .*; did you mean train.py?"),
        ("odd.py", "odd.py is not valid Python"),
        ("trian.ipynb", "there is no file .*; did you mean train.py?"),
    ],
)
def test_there_must_be_a_script(folder, path, message):
    (folder / "odd.py").write_text("def step(:")
    with pytest.raises(SymmetryError, match=message):
        script(path)


@pytest.mark.parametrize(
    "attack",
    [
        "(gradient,) = torch.autograd.grad(loss, x)",
        "loss.backward(); gradient = x.grad.sign()",
        slow("loss.backward(); gradient = x.grad / x.grad.norm()"),
    ],
)
def test_inputs_are_attacked_in_float64_as_they_are_as_written(folder, attack):
    training = written(folder, scripts.ADVERSARIAL.format(attack=attack))
    losses = {dtype: steps_of(training, dtype=dtype) for dtype in ("float32", "float64")}
    assert losses["float64"] == pytest.approx(losses["float32"], rel=1e-5)
    assert find(training).groups
    training.close()


def test_loops_of_tasks_take_turns(folder):
    training = written(folder, scripts.TASKS)
    run, other = training.begin(), training.begin()
    for _ in range(2):
        run.step()
        other.step()
    assert run.loss == other.loss
    training.close()


def test_a_thread_that_goes_on_changes_nothing_in_the_folder(folder):
    (folder / "log.txt").write_bytes(b"theirs\n")
    training = written(folder, scripts.THREAD)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    run = training.begin()
    for _ in range(3):
        run.step()
        time.sleep(0.05)
        training.begin().step()
    training.close()
    time.sleep(0.05)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
