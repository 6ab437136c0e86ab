from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from symmetry.law.case import Case
from tests.cli.process import assert_one_line, environment, symmetry
from tests.experiment.data.files import sample_files, write_files
from tests.studies.frameworks import compare
from tests.studies.frameworks.study import GROWING

FILES = ["frameworks-spread.png", "frameworks.json", "frameworks.md"]
SMALL = ("--data", "data", "--classes", "3", "--hidden", "4", "--iterations", "3")
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
STEPS = f"{Path(__file__).with_name('steps.py')}"
COMMAND = (sys.executable, "-m", "tests.studies.frameworks")
frameworks = partial(symmetry, command=COMMAND)


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


def test_from_nothing_to_a_report_and_a_broken_trainer_is_no_failure(cwd: Path) -> None:
    command = ("numpy", f"{STEPS}:last_unit", *SMALL, "--output", "o")
    runs = [frameworks(*command, cwd=cwd, **ONE_THREAD) for _ in range(2)]
    assert runs[0] == runs[1]  # no times in piped output
    finished = runs[0]
    assert (finished.status, finished.err) == (0, "")
    lines = finished.out.splitlines()
    assert lines[0] == "data, 15-4-3, 20 samples, 3 iterations, learning rate 0.01, float32"
    assert lines[2] == f"  iteration 1: units of {STEPS}:last_unit split"
    assert lines[5] == "  iteration 3 of 3"
    assert lines[6].endswith("units stay identical")
    assert "units split in iteration 1 by 1 ulp; in the end: the last 1 of 4" in lines[7]
    assert lines[-1] == "report  o/frameworks.md"
    assert sorted(path.name for path in (cwd / "o").iterdir()) == FILES
    record = json.loads((cwd / "o" / "frameworks.json").read_text())
    assert [run["split"] for run in record["comparisons"][0]["runs"]] == [None, 1]


def test_a_case(cwd: Path) -> None:
    case = Case(9, 4, 3, 2, 0.5, 3, "float64", "normals", "zero", 0)
    (cwd / "case.json").write_text(case.to_json())
    for given in (case.to_json(), "case.json"):
        command = ("numpy", "--case", given, "--output", "o", "--quiet")
        finished = frameworks(*command, cwd=cwd)
        assert (finished.status, finished.out, finished.err) == (0, "", "")
    text = (cwd / "o" / "frameworks.md").read_text()
    assert case.to_json() in text
    assert "| threads | 1 |" in text


ZERO = GROWING.to_json()


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        ((), "--output"),
        (("numpy",), "say with --output DIR"),
        (("--threads", "2"), "say with --output DIR"),
        (("numpy", "--output", "file"), "file"),
        (("nonsense", "--output", "o"), "unknown target 'nonsense'"),
        (("no.such:step", "--output", "o"), "No module named 'no'"),
        ((f"{STEPS}:dies", "--output", "o"), "signal SIGKILL): about to die"),
        (("numpy[", "--output", "o"), "settings are written as"),
        (("numpy", "numpy", "--output", "o"), "named 2 times"),
        (("numpy", "--output", "o", "--threads", "0"), "--threads"),
        (("numpy", "--output", "o", "--lr", "1e60"), "learning rate"),
        (("numpy", "--output", "o", "--hidden", str(10**12)), "this would take"),
        (("numpy", "--output", "o", "--case", ZERO), "--case holds all sizes"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_cannot_be_done_is_one_line(
    arguments: tuple[str, ...], phrase: str, cwd: Path
) -> None:
    (cwd / "file").write_text("kept")
    assert_one_line(frameworks(*SMALL, *arguments, cwd=cwd, **ONE_THREAD), phrase)
    assert (cwd / "file").read_text() == "kept"
    assert not list((cwd / "o").glob("*")) if (cwd / "o").exists() else True


@pytest.mark.parametrize(
    ("case", "phrase"),
    [
        ("missing.json", "cannot be read"),
        ("{}", "missing keys"),
        (f"{ZERO}\n{ZERO}", "one case is compared at a time"),
        (ZERO.replace('"zero"', '"scaled"'), '"weights" must be "zero"'),
    ],
    ids=["missing", "empty", "two", "scaled"],
)
def test_bad_cases_are_one_line(case: str, phrase: str, cwd: Path) -> None:
    command = ("numpy", "--case", case, "--output", "o")
    assert_one_line(frameworks(*command, cwd=cwd), phrase)


def test_ctrl_c_leaves_nothing_half_written(cwd: Path) -> None:
    (cwd / "o").mkdir()
    (cwd / "o" / "frameworks.md").write_text("an older report")
    command = ("numpy", f"{STEPS}:last_unit", *SMALL[:-1], "20000", "--output", "o")
    process = subprocess.Popen(
        [*COMMAND, *command],
        cwd=cwd,
        env=environment(**ONE_THREAD),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    for line in process.stdout:
        if b"units of" in line and b"split" in line:
            break
    else:
        pytest.fail("the units never split")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert (process.returncode, err) == (130, b"interrupted\n")
    assert [path.name for path in (cwd / "o").iterdir()] == ["frameworks.md"]
    assert (cwd / "o" / "frameworks.md").read_text() == "an older report"


def test_a_terminal_shows_bars(cwd: Path) -> None:
    ours, its = pty.openpty()
    command = ("numpy", "numpy[threads=1]", *SMALL, "--output", "o")
    process = subprocess.Popen(
        [*COMMAND, *command],
        cwd=cwd,
        env=environment(TERM="xterm", COLUMNS="120", **ONE_THREAD),
        stdout=its,
    )
    os.close(its)
    shown = b""
    try:
        while piece := os.read(ours, 65536):
            shown += piece
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert "starting" in text  # of a bar
    assert "numpy[threads=1]" in text  # brackets are no markup
    assert "\x1b[" in text


def test_the_default_command_makes_every_part(
    cwd: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import symmetry.cli as cli
    import tests.studies.frameworks.__main__ as module
    from symmetry.experiment.data.dataset import load_dataset

    monkeypatch.chdir(cwd)
    monkeypatch.setattr(module, "load_data", lambda *_: load_dataset(Path("data"), 3))
    monkeypatch.setattr(compare, "BUILTIN", ("numpy", "pytorch"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert cli.execute([], module.command, "python -m tests.studies.frameworks") == 0
    out = capsys.readouterr().out
    assert "  left out: pytorch: unknown target 'pytorch'" in out
    assert out.endswith("report  reports/frameworks.md\n")
    names = sorted(path.name for path in (cwd / "reports").iterdir())
    assert names == sorted([*FILES, "frameworks-growth.png"])
    text = (cwd / "reports" / "frameworks.md").read_text()
    headings = [line for line in text.splitlines() if line.startswith("## ")]
    assert headings == [
        "## data: 15-200-3, 20 samples, 100 iterations, learning rate 0.01, float32",
        "## Settings that are said to help",
        "## How one ulp becomes another network",
        "## The environment",
        "## How it was measured",
    ]
