"""What a process has only once is the script's process while it is resumed."""

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
import rich

from symmetry.sandbox import libraries
from symmetry.sandbox.process_state import ProcessState


@pytest.fixture
def main():
    return ModuleType("__main__")


@pytest.fixture
def process(tmp_path, main):
    return process_of(tmp_path, main)


def process_of(tmp_path, main):
    folder = tmp_path / "folder"
    folder.mkdir(exist_ok=True)
    return ProcessState(
        ["train.py", "--epochs", "1"],
        [str(folder), *sys.path],
        folder=str(folder),
        temporary=str(tmp_path),
        main=main,
        mirror=str(tmp_path),
        homes=[str(folder)],
        variables={},
        switches=[(sys.getrecursionlimit, sys.setrecursionlimit)],  # as a framework's
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
        sys.getrecursionlimit(),
    )


def test_all_is_exchanged_and_put_back(process, main, tmp_path):
    before = of_the_process()
    process.exchange()
    try:
        assert sys.argv == ["train.py", "--epochs", "1"]
        assert Path.cwd() == tmp_path / "folder"
        assert sys.modules["__main__"] is main
        assert tempfile.gettempdir() == str(tmp_path)
        assert os.environ["WANDB_MODE"] == "disabled"
        assert sys.stdin.read() == ""
        sys.setrecursionlimit(2000)
        os.environ["OWN"] = "1"
        sys.argv.append("more")
    finally:
        process.exchange()
    assert of_the_process() == before
    process.exchange()
    try:
        assert sys.getrecursionlimit() == 2000
        assert os.environ["OWN"] == "1"
        assert sys.argv[-1] == "more"
    finally:
        process.exchange()
    assert of_the_process() == before


def test_variables_that_a_script_changes_and_removes_are_exchanged(process, monkeypatch):
    monkeypatch.setenv("CHANGED", "before")
    monkeypatch.setenv("REMOVED", "before")
    process.exchange()  # it was made before them
    assert not {"CHANGED", "REMOVED"} & {*os.environ}
    os.environ["CHANGED"] = "after"
    process.exchange()
    assert (os.environ["CHANGED"], os.environ["REMOVED"]) == ("before", "before")
    process.exchange()
    assert (os.environ["CHANGED"], "REMOVED" in os.environ) == ("after", False)
    process.exchange()


def test_the_last_lines_that_are_printed_are_kept(process, capsys):
    process.exchange()
    try:
        for number in range(30):
            print("line", number)
        print("on the other stream", file=sys.stderr)
    finally:
        process.exchange()
    assert process.printed[-2:] == ["line 29", "on the other stream"]
    assert len(process.printed) == 20
    assert capsys.readouterr() == ("", "")


def test_its_own_modules_are_seen_by_nobody_else(process, tmp_path):
    (tmp_path / "folder" / "a_module_of_its_own.py").write_text("x = 1")
    process.exchange()
    try:
        assert importlib.import_module("a_module_of_its_own").x == 1
    finally:
        process.exchange()
    assert "a_module_of_its_own" not in sys.modules
    process.exchange()
    assert "a_module_of_its_own" in sys.modules
    process.exchange()


def test_handlers_of_logs_and_signals_are_its_own(process, tmp_path):
    log, before = logging.getLogger("a log of a script"), signal.getsignal(signal.SIGTERM)
    for _ in range(2):
        process.exchange()
        try:
            logging.basicConfig(filename=tmp_path / "log.txt")
            assert [type(h) for h in logging.root.handlers] == [logging.FileHandler]
            if not log.handlers:
                log.addHandler(logging.StreamHandler())
            assert len(log.handlers) == 1
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        finally:
            process.exchange()
        assert log.handlers == []
        assert not any(type(h) is logging.FileHandler for h in logging.root.handlers)
        assert signal.getsignal(signal.SIGTERM) is before
    process.close_logs()  # or its file would be left open, which is an error here


def test_logs_of_a_script_are_closed_where_it_ran(process):
    class Handler(logging.Handler):
        closed_in = None

        def close(self):
            self.closed_in = Path.cwd()
            super().close()

    handler, here = Handler(), Path.cwd()
    process.close_logs()  # it has none
    process.exchange()
    folder = Path.cwd()
    logging.getLogger("another log").addHandler(handler)
    process.exchange()
    process.close_logs()
    assert (handler.closed_in, Path.cwd()) == (folder, here)


def test_what_it_does_at_exit_is_left_out(process):
    count = atexit._ncallbacks()
    process.exchange()
    try:

        @atexit.register
        def own():
            """Write a file."""

        exec(compile("import atexit; atexit.register(print)", logging.__file__, "exec"))
    finally:
        process.exchange()
    assert callable(own)
    assert atexit._ncallbacks() == count + 1
    atexit.unregister(print)


def test_a_bar_of_progress_does_not_end_with_that_of_another_script(process):
    bar = rich.get_console()
    process.exchange()
    try:
        own = rich.get_console()
        assert own is not bar
        rich.reconfigure(width=40)  # as trainers do, and it forgets the bars
    finally:
        process.exchange()
    assert rich.get_console() is bar
    process.exchange()
    try:
        assert rich.get_console() is own
    finally:
        process.exchange()


def test_a_package_that_is_imported_anew_is_its_own(tmp_path, main, monkeypatch):
    (package := tmp_path / "elsewhere").mkdir()
    (package / "a_package_imported_anew.py").write_text("begun = []")
    monkeypatch.syspath_prepend(str(package))
    monkeypatch.setattr(libraries, "ANEW", {"a_package_imported_anew"})
    begun = []
    for _ in range(2):
        process = process_of(tmp_path, main)
        process.exchange()
        try:
            begun.append(importlib.import_module("a_package_imported_anew").begun)
        finally:
            process.exchange()
        assert "a_package_imported_anew" not in sys.modules
    assert begun[0] is not begun[1]


def test_timers_of_a_script_stand_still_while_it_is_suspended(process):
    ticks = []
    process.exchange()
    signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
    signal.setitimer(signal.ITIMER_REAL, 60, 0.01)
    process.exchange()
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
    process.exchange()
    left, between = signal.getitimer(signal.ITIMER_REAL)
    assert (50 < left <= 60, round(between, 6)) == (True, 0.01)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.pause()
    process.exchange()
    assert ticks == [1]


def test_ending_the_process_ends_the_script_and_really_ends_its_forks(process):
    process.exchange()
    try:
        with pytest.raises(SystemExit) as ended:
            os._exit(3)
        if not (child := os.fork()):
            os._exit(4)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 4
    finally:
        process.exchange()
    assert ended.value.code == 3


def test_a_user_need_not_have_an_entry(tmp_path, main, monkeypatch):
    monkeypatch.setattr("getpass.getuser", lambda: {}["uid not found"])
    process_of(tmp_path, main)
