"""Each trainer library is one file, and what is known of it by name is there."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from pkgutil import iter_modules
from types import FrameType, ModuleType, SimpleNamespace
from typing import cast

import pytest

from symmetry.base.libraries import registered, trainers, update_of_loop
from symmetry.torch import libraries
from tests.conftest import needs

FILES = [file.name for file in iter_modules(libraries.__path__, f"{libraries.__name__}.")]
KEPT = [kept for library in registered() for kept in library.kept]
WRITERS = [writer for library in registered() for writer in library.writers]


@pytest.mark.parametrize("file", FILES)
def test_a_file_registers_one(file: str) -> None:
    assert import_module(file).LIBRARY in registered()


def test_those_that_train_with_nothing_else_decide_about_a_script() -> None:
    assert {"lightning", "pytorch_lightning", "accelerate", "trl"} <= trainers(
        "torch", decisive=True
    )
    assert "transformers" in trainers("torch") - trainers("torch", decisive=True)
    assert not trainers("jax")


class Trainer:
    """Reads a length, as Lightning's does."""

    def __init__(self, *, automatic: bool) -> None:
        self.accumulate_grad_batches = 3
        self.lightning_module = SimpleNamespace(automatic_optimization=automatic)

    def frame(self, word: str) -> FrameType:
        found: list[FrameType] = []
        exec("see()", {"__name__": word, "see": lambda: found.append(sys._getframe(1))})
        return found[0]


@pytest.mark.parametrize(("automatic", "update"), [(True, 3), (False, 4)])
def test_loops_of_lightning_end_where_len_says(
    monkeypatch: pytest.MonkeyPatch, automatic: bool, update: int
) -> None:
    fake = SimpleNamespace(Trainer=Trainer)
    monkeypatch.setitem(sys.modules, "pytorch_lightning", cast("ModuleType", fake))
    trainer = Trainer(automatic=automatic)
    assert update_of_loop(trainer.frame("pytorch_lightning.loops")) == update
    assert update_of_loop(trainer.frame("torch.utils")) is None


@needs("accelerate")
@pytest.mark.parametrize(("module", "kind", "name"), KEPT)
def test_what_is_kept_in_a_process_is_there(module: str, kind: str, name: str) -> None:
    assert hasattr(getattr(import_module(module), kind), name)


@pytest.mark.parametrize(("module", "name", "_"), WRITERS)
def test_what_writes_files_is_there(module: str, name: str, _: int) -> None:
    if find_spec(module.partition(".")[0]) is not None:
        assert hasattr(import_module(module), name)
