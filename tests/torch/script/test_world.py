"""What a process has only once is the script's own while it is resumed."""

from __future__ import annotations

import atexit
import importlib.util
import logging
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest

from tests.conftest import needs

if importlib.util.find_spec("torch"):
    import torch

    from symmetry.torch.script.world import World

pytestmark = needs("torch")


@pytest.fixture
def main():
    return ModuleType("__main__")


@pytest.fixture
def world(tmp_path, main):
    folder = tmp_path / "folder"
    folder.mkdir()
    return World(
        ["train.py", "--epochs", "1"],
        [str(folder), *sys.path],
        folder=str(folder),
        temporary=str(tmp_path),
        main=main,
        mirror=str(tmp_path),
        homes=[str(folder)],
    )


def of_the_process():
    return (
        [*sys.argv],
        [*sys.path],
        sys.stdout,
        Path.cwd(),
        dict(os.environ),
        tempfile.gettempdir(),
        sys.modules["__main__"],
        torch.get_default_dtype(),
        torch.get_num_threads(),
    )


def test_all_is_exchanged_and_put_back(world, main, tmp_path):
    before = of_the_process()
    world.exchange()
    try:
        assert sys.argv == ["train.py", "--epochs", "1"]
        assert Path.cwd() == tmp_path / "folder"
        assert sys.modules["__main__"] is main
        assert tempfile.gettempdir() == str(tmp_path)
        assert os.environ["WANDB_MODE"] == "disabled"
        assert sys.stdin.read() == ""
        torch.set_default_dtype(torch.float64)
        os.environ["OWN"] = "1"
        sys.argv.append("more")
    finally:
        world.exchange()
    assert of_the_process() == before
    world.exchange()
    try:
        assert torch.get_default_dtype() is torch.float64
        assert os.environ["OWN"] == "1"
        assert sys.argv[-1] == "more"
    finally:
        world.exchange()
    assert of_the_process() == before


def test_the_last_lines_that_are_printed_are_kept(world, capsys):
    world.exchange()
    try:
        for number in range(30):
            print("line", number)
        print("on the other stream", file=sys.stderr)
    finally:
        world.exchange()
    assert world.printed[-2:] == ["line 29", "on the other stream"]
    assert len(world.printed) == 20
    assert capsys.readouterr() == ("", "")


def test_its_own_modules_are_seen_by_nobody_else(world, tmp_path):
    (tmp_path / "folder" / "a_module_of_its_own.py").write_text("x = 1")
    world.exchange()
    try:
        assert importlib.import_module("a_module_of_its_own").x == 1
    finally:
        world.exchange()
    assert "a_module_of_its_own" not in sys.modules
    world.exchange()
    assert "a_module_of_its_own" in sys.modules
    world.exchange()


def test_handlers_of_logs_and_signals_are_its_own(world, tmp_path):
    log, before = logging.getLogger("a log of a script"), signal.getsignal(signal.SIGTERM)
    for _ in range(2):
        world.exchange()
        try:
            logging.basicConfig(filename=tmp_path / "log.txt")
            assert [type(h) for h in logging.root.handlers] == [logging.FileHandler]
            if not log.handlers:
                log.addHandler(logging.StreamHandler())
            assert len(log.handlers) == 1
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        finally:
            world.exchange()
        assert log.handlers == []
        assert not any(type(h) is logging.FileHandler for h in logging.root.handlers)
        assert signal.getsignal(signal.SIGTERM) is before
    world.close_logs()  # or its file would be left open, which is an error here


def test_what_it_does_at_exit_is_left_out(world):
    count = atexit._ncallbacks()
    world.exchange()
    try:

        @atexit.register
        def own():
            """Write a file."""

        exec(compile("import atexit; atexit.register(print)", logging.__file__, "exec"))
    finally:
        world.exchange()
    assert callable(own)
    assert atexit._ncallbacks() == count + 1
    atexit.unregister(print)
