"""A script as a training: where its steps begin and end, what is its model, and how it ends."""

from __future__ import annotations

import gc
import os
import sys
import weakref
from pathlib import Path

import pytest

from symmetry.base.errors import SymmetryError, TrainingError
from symmetry.targets.script import script
from tests.conftest import needs
from tests.trainings.torch.script import scripts

pytestmark = [needs("torch"), needs("greenlet")]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text(scripts.PLAIN)
    (tmp_path / "network.py").write_text(scripts.NETWORK)
    return tmp_path


def written(folder, text):
    (folder / "other.py").write_text(text)
    return script("other.py")


def steps_of(training, **options):
    run = training.start(**options)
    losses: list[float] = []
    with pytest.raises(TrainingError, match="a check takes more"):
        losses.extend(run.loss for _ in run.states(100))
    run.close()
    return losses


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
    run = script("train.py").start()
    run.step()
    other = script("train.py").start()  # runs take turns
    run.step()
    other.step()
    assert (sys.argv, sys.path, dict(os.environ), Path.cwd(), sys.modules["__main__"]) == before
    assert "network" not in sys.modules
    run.close()
    other.close()
    assert sorted(path.name for path in folder.iterdir()) == ["network.py", "train.py"]


def test_a_module_runs_as_python_does(folder):
    package = folder / "package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "network.py").write_text(scripts.NETWORK)
    (package / "train.py").write_text(scripts.PLAIN.replace("from network", "from .network"))
    training = script(module="package.train", arguments=["--epochs", "1"])
    assert training.name == "-m package.train --epochs 1"
    assert len(steps_of(training)) == 6


def test_without_an_optimiser_each_backward_is_a_step(folder):
    training = written(folder, scripts.BY_HAND)
    assert len(steps_of(training)) == 6
    assert next(iter(training.start().parameters)) == "model.0.weight"


def test_an_optimiser_that_never_steps_is_none(folder):
    training = written(folder, scripts.NEVER_STEPPED)
    assert len(steps_of(training)) == 6
    training.close()


def test_a_small_file_is_a_copy_whatever_writes_into_it(folder):
    (folder / "data.bin").write_bytes(b"theirs")
    training = written(folder, scripts.WRITES_IN_C)
    training.start().step()
    training.start().step()
    training.close()
    assert (folder / "data.bin").read_bytes() == b"theirs"


def test_a_large_file_that_changes_is_told(folder):
    (folder / "data.bin").write_bytes(bytes(2 << 20))
    training = written(folder, scripts.WRITES_IN_C)
    training.start().step()
    message = f"other.py: {folder / 'data.bin'} changed while it ran"
    with pytest.raises(TrainingError, match=message):
        training.start()
    with pytest.raises(SymmetryError, match=message):
        training.close()


def test_each_update_of_two_networks_is_a_step(folder):
    training = written(folder, scripts.GAN)
    run = training.start()
    assert {name.split(".")[1] for name in run.parameters} == {"generator", "critic"}
    assert len(steps_of(training)) == 8


def test_accumulated_backwards_are_one_step(folder):
    run = written(folder, scripts.ACCUMULATED).start()
    run.step()
    assert (run.backwards, run.updates) == (2, 1)


def test_a_closure_belongs_to_its_update(folder):
    run = written(folder, scripts.CLOSURE).start()
    begun = []
    run.before_update = begun.append
    run.step()
    assert (run.backwards, run.updates) == (3, 1)
    assert len(begun) == 2  # the first was under way, and so is the next
    assert run.pending  # the next update goes on with what it has read of its state


def test_runs_that_nobody_has_are_ended(folder):
    training = script("train.py")
    models = []
    for _ in range(5):
        run = training.start()
        run.step()
        models.append(weakref.ref(run.model))
    del run
    gc.collect()
    training.start().close()
    gc.collect()
    assert [ref() for ref in models] == [None] * 5


def test_a_script_that_catches_everything_is_left_alone_and_holds_nothing(folder):
    training = written(folder, scripts.SWALLOWS)
    run = training.start()
    run.step()
    tensors = [*run.parameters.values()]
    run.close()
    assert [tensor.numel() for tensor in tensors] == [0, 0]
    other = training.start()
    other.step()
    training.close()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1", "other.py: it ends, and makes no PyTorch module and calls no backward"),
        ("def make(): ...", "calls no backward; did you mean 'other.py:make'?"),
        ("import sys; sys.exit(0)", "other.py: it ends, and makes no PyTorch module"),
        ("import sys; print('no data'); sys.exit(3)", "other.py: it exits with 3: no data"),
        (
            "import torch; n = torch.nn.Linear(2, 1); torch.optim.SGD(n.parameters(), 1)",
            "other.py: it ends without a training forward",
        ),
        ("input()", "EOFError"),
    ],
)
def test_what_is_no_training_is_refused_in_one_line(folder, text, message):
    with pytest.raises(TrainingError) as raised:
        written(folder, text).start()
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_step_too_many_says_how_many_there_were(folder):
    run = written(folder, scripts.ACCUMULATED).start()
    for _ in range(6):
        run.step()
    with pytest.raises(TrainingError, match="it ends after 6 updates"):
        run.step()


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("trian.py", "there is no file .*; did you mean train.py?"),
        ("odd.py", "odd.py is not valid Python"),
        ("train.ipynb", "is a notebook: export it as a script first"),
    ],
)
def test_there_must_be_a_script(folder, path, message):
    (folder / "odd.py").write_text("def step(:")
    with pytest.raises(SymmetryError, match=message):
        script(path)
