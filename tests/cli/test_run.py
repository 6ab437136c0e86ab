from __future__ import annotations

import hashlib
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import symmetry.cli as cli
from symmetry.experiment import run as experiment
from tests.cli.process import SYMMETRY, Finished, assert_one_line, environment, symmetry
from tests.conftest import slow
from tests.experiment.data.files import NAMES, idx_bytes, sample_files, write_files
from tests.tiny import LastUnitCore

FILES = ["mnist-confusion.png", "mnist-curves.png", "mnist-w1.png", "mnist.json", "mnist.md"]
Here = Callable[..., Finished]
SMALL = ("--data", "data", "--classes", "3", "--hidden", "4", "--iterations", "3")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("sets") / "data"
    directory.mkdir()
    write_files(directory, sample_files(train=20, test=8))
    return directory


@pytest.fixture
def cwd(tmp_path: Path, data: Path) -> Path:
    """Return a working directory in which the small data set is called ``data``."""
    (tmp_path / "data").symlink_to(data)
    return tmp_path


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Here:
    """Return what runs a command line in this process: what it takes to import is there already."""

    def run(*arguments: str, cwd: Path) -> Finished:
        monkeypatch.chdir(cwd)
        status = cli.execute(list(arguments))
        captured = capsys.readouterr()
        return Finished(status, captured.out, captured.err)

    return run


def contents(directory: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in directory.iterdir()}


def test_from_nothing_to_a_report(cwd: Path) -> None:
    finished = symmetry("run", *SMALL, "--output", "a/b", "--save-weights", "a/w.npz", cwd=cwd)
    assert finished.status == 0
    assert finished.err == ""
    lines = finished.out.splitlines()
    assert lines[:3] == ["loading the data", "compiling the core, once", "zero start"]
    assert re.fullmatch(r"  iteration 1  loss 1\.\d{6}  accuracy [ \d]\d\.\d\d %", lines[3])
    assert lines[6] == "control (random start)"
    assert len([line for line in lines if line.startswith("  iteration ")]) == 6
    assert (
        "symmetry/w1-columns   holds; 3 iterations compared, 1 distinct at the end" in finished.out
    )
    assert lines[-1] == "report                a/b/mnist.md"
    assert sorted(contents(cwd / "a" / "b")) == FILES
    assert sorted(path.name for path in (cwd / "a").iterdir()) == ["b", "w.npz"]

    record = json.loads((cwd / "a" / "b" / "mnist.json").read_text())
    weights = np.load(cwd / "a" / "w.npz")
    assert sorted(weights) == ["w1", "w2"]
    assert weights["w1"].shape == (16, 4)
    assert weights["w2"].shape == (5, 3)
    assert (weights["w1"] == weights["w1"][:, :1]).all()
    for name in ("w1", "w2"):
        assert weights[name].dtype == np.float32
        digest = hashlib.sha256(weights[name].tobytes()).hexdigest()
        assert record["weights"][f"{name}_sha256"] == digest
    assert record["dataset"]["name"] == "data"
    assert (
        record["dataset"]["files"][NAMES[0]]
        == hashlib.sha256((cwd / "data" / NAMES[0]).read_bytes()).hexdigest()
    )


@pytest.mark.slow
def test_the_same_command_prints_and_writes_the_same(cwd: Path) -> None:
    runs = [symmetry("run", *SMALL, "--output", "o", "--threads", n, cwd=cwd) for n in (1, 3)]
    assert runs[0] == runs[1]
    first = contents(cwd / "o")
    check = symmetry("run", *SMALL, "--output", "o", "--check", cwd=cwd)
    assert check.status == 0
    assert check.out.endswith("o/mnist.md is as it should be\n")
    assert contents(cwd / "o") == first


@pytest.mark.slow
def test_check_names_what_differs_and_writes_nothing(here: Here, cwd: Path) -> None:
    def check(*more: str) -> Finished:
        return here("run", *SMALL, "--output", "o", *more, cwd=cwd)

    assert check("--check").status == 1
    assert not (cwd / "o").exists()
    assert check().status == 0
    assert check("--check").status == 0
    report = cwd / "o" / "mnist.md"
    text = report.read_text()
    digit = re.search(r"\d\.\d{5}(\d)", text)
    assert digit is not None
    changed = text[: digit.start(1)] + str((int(digit[1]) + 1) % 10) + text[digit.end(1) :]
    report.write_text(changed)
    finished = check("--check")
    assert finished.status == 1
    assert finished.out.endswith("o/mnist.md would change\n")
    assert report.read_text() == changed
    quiet = check("--check", "--quiet")
    assert (quiet.status, quiet.out, quiet.err) == (1, "", "o/mnist.md would change\n")
    report.write_text(text)
    (cwd / "o" / "mnist-w1.png").unlink()
    assert check("--check").out.endswith("o/mnist-w1.png is missing\n")
    (cwd / "o" / "mnist.json").unlink()
    missing = check("--check")
    assert (missing.status, missing.out) == (1, "o/mnist.json is missing\n")
    assert check().status == 0
    assert check("--check").status == 0
    assert check("--check", "--seed", "1").status == 1


def test_running_again_leaves_the_files_alone(here: Here, cwd: Path) -> None:
    command = ("run", *SMALL, "--output", "o", "--quiet")
    for _ in range(2):
        finished = here(*command, cwd=cwd)
        assert finished == Finished(0, "", "")
        figure = (cwd / "o" / "mnist-w1.png").stat()
        os.utime(cwd / "o" / "mnist-w1.png", ns=(1, 1))
    assert figure.st_mtime_ns == 1


@pytest.mark.parametrize(
    "options",
    [
        ["--init", "random"],
        ["--collapsed"],
        slow(["--no-control"]),
        slow(["--dtype", "float64"]),
        slow(["--hidden", "1"]),
        slow(["--iterations", "1"]),
        ["--lr", "1e38"],
    ],
    ids="".join,
)
def test_options(options: list[str], here: Here, cwd: Path) -> None:
    command = ("run", *SMALL, "--output", "o", *options)
    finished = here(*command, cwd=cwd)
    assert (finished.status, finished.err) == (0, "")
    record = json.loads((cwd / "o" / "mnist.json").read_text())
    config = record["config"]
    assert config["init"] == ("random" if "--init" in options else "zero")
    assert config["collapsed"] == ("--collapsed" in options)
    assert config["dtype"] == ("float64" if "--dtype" in options else "float32")
    alone = {"--init", "--collapsed", "--no-control"} & set(options)
    assert (record["control"] is None) == bool(alone)
    runs = {"--init": "random start", "--collapsed": "collapsed network"}
    assert runs.get(options[0], "zero start") in finished.out.splitlines()


def test_a_violated_run_writes_its_report_and_exits_1(
    here: Here, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(experiment, "Core", LastUnitCore)
    command = ("run", *SMALL, "--output", "o")
    finished = here(*command, cwd=cwd)
    assert finished.status == 1
    assert "symmetry/w1-columns   violated in iteration 2 (the last 1 of 4); 3" in finished.out
    assert "hence exit status 1" in finished.out
    assert "split" in (cwd / "o" / "mnist.md").read_text()
    assert json.loads((cwd / "o" / "mnist.json").read_text())["invariants"][0]["holds"] is False
    checked = here(*command, "--check", cwd=cwd)
    assert checked.status == 1


BAD_OPTIONS = [
    (["--hidden", "0"], "--hidden"),
    (["--hidden", "many"], "--hidden"),
    (["--hidden", "9" * 5000], "--hidden"),
    (["--iterations", "0"], "--iterations"),
    (["--classes", "0"], "--classes"),
    (["--lr", "nan"], "--lr"),
    (["--lr", "-0.01"], "--lr"),
    (["--lr", "fast"], "--lr"),
    (["--lr", "1e60"], "learning rate"),
    (["--dtype", "float16"], "--dtype"),
    (["--init", "ones"], "--init"),
    (["--seed", "-1"], "--seed"),
    (["--threads", "0"], "--threads"),
    (["--output"], "--output"),
    (["--walk"], "--walk"),
    (["walk"], "walk"),
    (["--check", "--save-weights", "w.npz"], "--check"),
    (["--output", "file"], "file"),
    (["--output", "file/below"], "file/below"),
    (["--check", "--output", "file"], "file"),
    (["--save-weights", "missing/w.npz"], "missing"),
    (["--save-weights", "data"], "data"),
    (["--data", "missing"], "missing"),
    (["--data", "file"], "file"),
    (["--classes", "2"], "expected labels below 2"),
    (["--hidden", str(10**12)], "this would take"),
]


@pytest.mark.parametrize(("options", "named"), BAD_OPTIONS, ids=lambda value: str(value)[:30])
def test_bad_options_are_one_line(options: list[str], named: str, here: Here, cwd: Path) -> None:
    (cwd / "file").write_text("kept")
    command = ("run", *SMALL, "--output", "o", *options)
    finished = here(*command, cwd=cwd)
    assert_one_line(finished, named)
    assert "iteration 1" not in finished.out
    assert not (cwd / "o").exists() or not contents(cwd / "o")
    assert (cwd / "file").read_text() == "kept"


@pytest.mark.parametrize(
    "options",
    [
        ["--data", "data"],
        ["--lr", "0.1"],
        ["--collapsed"],
        ["--hidden", "4", "--check"],
    ],
    ids="".join,
)
def test_another_experiment_needs_an_output(options: list[str], here: Here, cwd: Path) -> None:
    finished = here("run", *options, cwd=cwd)
    assert_one_line(finished, "--output")
    assert not (cwd / "reports").exists()


def test_options_that_change_nothing_need_no_output(here: Here, cwd: Path) -> None:
    options = ("--hidden", "200", "--lr", "1e-2", "--threads", "2", "--check")
    finished = here("run", *options, cwd=cwd)
    assert (finished.status, finished.err) == (1, "")
    assert finished.out == "reports/mnist.md is missing\nreports/mnist.json is missing\n"


@pytest.mark.slow
def test_damaged_data_leave_a_report_untouched(here: Here, tmp_path: Path) -> None:
    files = sample_files(train=20, test=8)
    (tmp_path / "data").mkdir()
    write_files(tmp_path / "data", files)
    command = ("run", *SMALL, "--output", "o")
    assert here(*command, cwd=tmp_path).status == 0
    before = contents(tmp_path / "o")
    (tmp_path / "data" / NAMES[3]).write_bytes(files[NAMES[3]][:-1])
    finished = here(*command, cwd=tmp_path)
    assert_one_line(finished, NAMES[3])
    assert contents(tmp_path / "o") == before


@pytest.mark.parametrize("bad", ["0", "-3", "all", ""])
def test_a_bad_number_of_threads_in_the_environment(
    bad: str, here: Here, cwd: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMBA_NUM_THREADS", bad)
    assert_one_line(here("run", *SMALL, "--output", "o", cwd=cwd), "NUMBA_NUM_THREADS")


def test_a_report_that_cannot_be_written_is_noticed_before_training(here: Here, cwd: Path) -> None:
    (cwd / "o" / "mnist.md").mkdir(parents=True)
    command = ("run", *SMALL, "--output", "o")
    finished = here(*command, cwd=cwd)
    assert_one_line(finished, "mnist.md")
    assert finished.out == ""


def endless(cwd: Path, **streams: Any) -> subprocess.Popen[bytes]:
    """Start a run that nobody waits for."""
    options = ["--data", "data", "--classes", "3", "--hidden", "4", "--iterations", "100000"]
    return subprocess.Popen(
        [*SYMMETRY, "run", *options, "--output", "o"], cwd=cwd, env=environment(), **streams
    )


@pytest.mark.slow
@pytest.mark.parametrize("moment", [b"loading", b"iteration 2 "])
def test_ctrl_c_leaves_nothing_half_written(moment: bytes, cwd: Path) -> None:
    (cwd / "o").mkdir()
    (cwd / "o" / "mnist.md").write_text("an older report")
    process = endless(cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    while moment not in process.stdout.readline().replace(b"     ", b""):
        pass
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (130, b"interrupted\n")
    assert contents(cwd / "o") == {"mnist.md": b"an older report"}


def test_a_reader_who_stops_reading_ends_the_run(cwd: Path) -> None:
    process = endless(cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == b"loading the data\n"
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 2
    assert contents(cwd / "o") == {}


def on_a_terminal(*arguments: str, cwd: Path, **changes: str) -> tuple[int, str]:
    """Run ``symmetry`` on a pseudo-terminal; return its status and all that it showed."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*SYMMETRY, *arguments],
        cwd=cwd,
        env=environment(**{"TERM": "xterm", "COLUMNS": "120", **changes}),
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = io.BytesIO()
    while select.select([ours], [], [], 60)[0]:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        shown.write(piece)
    os.close(ours)
    return process.wait(), shown.getvalue().decode()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_terminal_shows_live_progress(cwd: Path) -> None:
    status, shown = on_a_terminal("run", *SMALL, "--output", "o", cwd=cwd)
    assert status == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    assert re.search(r"zero start .*3 of 3  loss 1\.\d{6}  accuracy", text)
    assert re.search(r"control \(random start\) .*3 of 3  loss", text)
    assert "  iteration 1" not in text
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h") == 1  # the cursor is back
    assert text.rstrip().endswith("o/mnist.md")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals")
def test_a_dumb_terminal_gets_plain_lines(cwd: Path) -> None:
    status, shown = on_a_terminal("run", *SMALL, "--output", "o", cwd=cwd, TERM="dumb")
    assert status == 0
    assert "\x1b" not in shown
    assert "  iteration 1" in shown


@pytest.mark.slow
def test_other_shapes_of_images(here: Here, tmp_path: Path) -> None:
    for number, shape in enumerate([(1, 1), (1, 40), (28, 28)]):
        place = tmp_path / str(number) / "data"
        place.mkdir(parents=True)
        write_files(place, sample_files(train=9, test=1, shape=shape), zipped=True)
        command = ("run", *SMALL, "--output", "o")
        finished = here(*command, cwd=place.parent)
        assert finished.status == 0
        drawn = (place.parent / "o" / "mnist-feature.png").exists()
        assert drawn == (shape == (28, 28))


def test_a_bright_pixel_nobody_lit(here: Here, tmp_path: Path) -> None:
    files = sample_files(train=9, test=2, shape=(2, 2))
    images = np.full((9, 2, 2), 7, np.uint8)
    images[:, 1, 0] = 0
    files[NAMES[0]] = idx_bytes(images)
    (tmp_path / "data").mkdir()
    write_files(tmp_path / "data", files)
    command = ("run", *SMALL, "--output", "o")
    assert here(*command, cwd=tmp_path).status == 0
    text = " ".join((tmp_path / "o" / "mnist.md").read_text().split())
    assert "Of 4 pixels, 1 are zero in all 9 training images." in text
