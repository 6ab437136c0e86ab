from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from textwrap import dedent

import pytest

import symmetry.cli as cli
from symmetry.base.errors import SymmetryError
from tests.cli import inside
from tests.cli.process import SYMMETRY, assert_one_line, environment, symmetry
from tests.cli.test_check_training import TRAINING
from tests.conftest import slow

HEAVY = ("numba", "numpy", "matplotlib", "rich", "hypothesis", "jinja2", "torch", "jax")


def test_the_version(tmp_path: Path) -> None:
    assert symmetry("--version", cwd=tmp_path).out == (
        f"symmetry, version {version('unit-symmetry')}\n"
    )


def test_help_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import json, sys; from symmetry.cli import execute\n"
        "asked = [['--help'], ['-h'], ['run', '--help'], ['--version']]\n"
        "found = [execute(words) for words in asked]\n"
        f"print(json.dumps([found, [name for name in {HEAVY} if name in sys.modules]]))"
    )
    finished = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(finished.stdout.splitlines()[-1]) == [[0] * 4, []]


def test_help_lists_the_commands(tmp_path: Path) -> None:
    text = symmetry("--help", cwd=tmp_path).out
    for name in ("run", "check", "explain", "units"):
        assert f"\n  {name} " in text
    assert "Exit status" in text


def test_without_a_command_nothing_was_done(tmp_path: Path) -> None:
    finished = symmetry(cwd=tmp_path)
    assert finished.status == 2
    assert finished.out == ""
    assert "Usage: symmetry" in finished.err


def test_a_mistyped_command_gets_the_nearest_one(tmp_path: Path) -> None:
    hint = ("Did you mean 'check'?",) if version("click") >= "8.4" else ()  # older ones have none
    assert_one_line(symmetry("chekc", cwd=tmp_path), "'chekc'", *hint)


@pytest.mark.parametrize("arguments", [["walk"], ["--walk"], ["\x1b[31mred"], ["x" * 5000]])
def test_unknown_words_are_one_line(arguments: list[str], tmp_path: Path) -> None:
    finished = inside.symmetry(*arguments, cwd=tmp_path)
    assert_one_line(finished, "No such", "symmetry --help")
    assert "\x1b" not in finished.err


def test_whoever_reads_may_stop_reading(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [*SYMMETRY, "run", "--help"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 2


@pytest.mark.parametrize(
    ("error", "status", "printed"),
    [
        (SymmetryError("two\nlines"), 2, "error: two lines\n"),
        (SymmetryError("é" * 700), 2, f"error: {'é' * 543} ... {'é' * 35}\n"),
        (MemoryError("Unable to allocate"), 2, "error: there is not enough memory: Unable to"),
        (OSError(28, "No space left on device"), 2, "error: output: No space left on device\n"),
        (OSError(13, "Permission denied", "x"), 2, "error: x: Permission denied\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (BrokenPipeError(), 2, ""),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_is_one_line(
    error: BaseException,
    status: int,
    printed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(cli.group, "invoke", fail)
    monkeypatch.setattr(os, "dup2", lambda *_: None)  # pytest still needs its output
    assert cli.execute(["run"]) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith(printed)
    assert captured.err.count("\n") == bool(printed)


def test_a_shell_may_ask_how_to_complete(tmp_path: Path) -> None:
    asked = {"COMP_WORDS": "symmetry check --upd", "COMP_CWORD": "2"}
    for shell in ("bash_source",):
        assert "symmetry" in symmetry(cwd=tmp_path, _SYMMETRY_COMPLETE=shell).out
    done = symmetry(cwd=tmp_path, _SYMMETRY_COMPLETE="bash_complete", **asked)
    assert done.out == "plain,--update-baseline\n"


def test_an_interruption_of_the_imports_has_no_traceback(tmp_path: Path) -> None:
    code = (
        "import runpy, sys\n"
        "class Interrupting:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'symmetry.cli':\n"
        "            raise KeyboardInterrupt\n"
        "sys.meta_path.insert(0, Interrupting())\n"
        "runpy.run_module('symmetry', run_name='__main__', alter_sys=True)\n"
    )
    finished = symmetry(command=(sys.executable, "-c", code), cwd=tmp_path)
    assert (finished.status, finished.out, finished.err) == (130, "", "interrupted\n")


@pytest.mark.parametrize("command", [slow("units"), slow("compare"), slow("explain")])
def test_json_may_go_to_standard_output(command: str, tmp_path: Path) -> None:
    names = {"compare": ("numpy", "numpy"), "explain": ("numpy",)}
    few = {"compare": ("--examples", "2"), "explain": ("--samples", "9", "--inputs", "4")}
    (tmp_path / "train.py").write_text(dedent(TRAINING))
    words = (command, *names.get(command, ("train.py:training",)), *few.get(command, ()))
    finished = symmetry(*words, "--json", "-", cwd=tmp_path)
    assert finished.status in (0, 1), finished
    assert json.loads(finished.out)
    assert finished.err.strip()


def test_a_fault_of_the_program_is_no_verdict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.group, "invoke", lambda _: 1 / 0)
    monkeypatch.setattr(sys, "argv", ["symmetry", "run"])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_output_may_be_closed(tmp_path: Path) -> None:
    finished = subprocess.run(
        ["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *SYMMETRY, "--help"],
        cwd=tmp_path,
        env=environment(),
        check=False,
    )
    assert finished.returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--output", ""),
        ("run", "--data", ""),
        ("run", "--save-weights", ""),
        ("check", "--output", ""),
        ("check", "--json", ""),
        ("explain", "numpy", "--script", ""),
    ],
)
def test_an_empty_path_is_not_the_working_directory(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    assert_one_line(inside.symmetry(*arguments, cwd=tmp_path), "it is empty", "--help")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format_", ["json", "sarif", "github", "junit", "line"])
def test_a_program_gets_its_format_if_nothing_can_be_checked(tmp_path, format_):
    done = inside.symmetry("check", "none.py", "--format", format_, cwd=tmp_path)
    assert done.status == 2
    assert "there is no file" in done.out
    assert "there is no file" in done.err
    if format_ == "json":
        found = json.loads(done.out)
        assert (found["verdict"], found["exit_status"]) == ("cannot-judge", 2)


def test_a_wrong_option_is_json_as_well(tmp_path):
    done = symmetry("check", "none.py", "--bugdet", "3", "--format", "json", cwd=tmp_path)
    found = json.loads(done.out)
    assert (done.status, found["verdict"], found["problems"]) == (2, "cannot-judge", [])
    assert "No such option" in found["conclusion"]
