"""The command: what is printed and written, and wrong arguments."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import sys
import time
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from symmetry.cli import execute
from tests.cli.process import Finished, assert_one_line, environment, is_alive
from tests.studies.bisection import bisection, releases
from tests.studies.bisection.__main__ import COMMAND, command
from tests.studies.bisection.trial import Trial
from tests.studies.bisection.wheels import NAME, write_wheels


def bisect(*words: str, cwd: Path) -> Finished:
    """Run the command in this process."""
    out, err = io.StringIO(), io.StringIO()
    with chdir(cwd), redirect_stdout(out), redirect_stderr(err):
        status = execute([*words], command, COMMAND)
    return Finished(status, out.getvalue(), err.getvalue())


CHECK = ("--", "check", "train.py", "--only", "loss/pairs")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Let releases from 1.2 on break an invariant, and 1.3 raise an error."""
    verdicts = {
        "1.0": Trial("1.0", 0, (), "train.py: sound (1 check)", 1.0),
        "1.1": Trial("1.1", 0, (), "train.py: sound (1 check)", 1.0),
        "1.2": Trial("1.2", 1, ("loss/pairs",), "train.py: 1 problem (1 check)", 1.0),
        "1.3": Trial("1.3", 2, (), "train.py: no training", 1.0),
        "1.4": Trial("1.4", 1, ("loss/pairs",), "train.py: 1 problem (1 check)", 1.0),
    }
    monkeypatch.setattr(releases, "releases_of", lambda package: [*verdicts])
    monkeypatch.setattr(bisection, "environment", lambda *_: tmp_path)
    monkeypatch.setattr(bisection, "tried", lambda _, release, words: verdicts[release])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_the_release_is_named(folder):
    done = bisect("lib", "1.0..1.4", *CHECK, cwd=folder)
    assert done.status == 0
    assert done.out.splitlines() == [
        "lib 1.0  train.py: sound (1 check)",
        "lib 1.4  train.py: 1 problem (1 check)  loss/pairs",
        "lib 1.2  train.py: 1 problem (1 check)  loss/pairs",
        "lib 1.1  train.py: sound (1 check)",
        "",
        "lib 1.2 changes the verdict: 1.1 is the last one before it",
    ]


def test_releases_that_cannot_be_judged_are_named(folder):
    done = bisect("lib", "1.3..1.4", *CHECK, cwd=folder)
    assert_one_line(done, "lib 1.3 cannot be judged: train.py: no training")


def test_the_same_verdict_is_another_status(folder):
    done = bisect("lib", "1.2..1.4", *CHECK, cwd=folder)
    assert done.status == 1
    assert done.out.splitlines()[-1] == "lib 1.2 and 1.4 have the same verdict"


def test_the_result_can_be_read_as_json(folder):
    done = bisect("lib", "1.0..1.4", "--json", "-", *CHECK, cwd=folder)
    found = json.loads(done.out)
    assert (found["last_before"], found["first_after"]) == ("1.1", "1.2")
    assert [trial["release"] for trial in found["trials"]] == ["1.0", "1.4", "1.2", "1.1"]
    assert "lib 1.2 changes the verdict" in done.err


@pytest.mark.parametrize(
    ("words", "phrase"),
    [
        (("lib", "1.0..1.4"), "behind -- there must be a command: check or compare"),
        (("lib", "1.0..1.4", "--", "run"), "behind -- there must be a command"),
        (("lib", "1.0..1.4", "--", "check", "--fst"), "No such option '--fst'"),
        (("lib", "1.0..1.4", "--", "compare", "--steps", "3"), "Missing argument 'FIRST"),
        (("lib", *CHECK), "Missing argument 'OLD..NEW'"),
        (("lib", "1.0", *CHECK), "the releases are OLD..NEW"),
        (("lib", "1.0..7", *CHECK), "pip finds no release 7; next to it: 1.4"),
    ],
)
def test_wrong_arguments_are_one_line(folder, words, phrase):
    assert_one_line(bisect(*words, cwd=folder), phrase)


STEP = f"""
import os, pathlib, time, {NAME}
from symmetry.network import formulas

def step(x, y, w1, w2, lr):
    with open({NAME}.release, "a") as calls:
        calls.write(".")
    if {NAME}.release == "1.1" and "HANG" in os.environ:
        pathlib.Path("pid").write_text(str(os.getpid()))
        time.sleep(1000)
    w1, w2 = formulas.step(x, y, w1, w2, lr)
    w2[-1] += {NAME}.release == "1.1"
    return w1, w2
"""


@pytest.mark.slow
def test_a_search_that_is_ended_ends_its_check_and_goes_on_with_what_is_known(tmp_path):
    (tmp_path / "wheels").mkdir()
    sources = {release: f"release = {release!r}" for release in ("1.0", "1.0.5", "1.1")}
    found = write_wheels(tmp_path / "wheels", sources, {"1.0.5": "nowhere"})
    (tmp_path / "toy.py").write_text(STEP)
    check = ["check", "toy.py:step", "--only", "symmetry/permutation", "--examples", "5"]
    check += ["--writable", str(tmp_path)]  # the step keeps an account of its calls
    command = [
        sys.executable,
        "-m",
        "tests.studies.bisection",
        NAME,
        "1.0..1.1",
        "--folder",
        "kept",
        "--",
        *check,
    ]

    def start(**more):
        return subprocess.Popen(
            command,
            cwd=tmp_path,
            env=environment(**found, **more),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    first, pid = start(HANG="1"), tmp_path / "pid"
    while first.poll() is None and not (pid.exists() and pid.read_text()):
        time.sleep(0.05)
    first.send_signal(signal.SIGTERM)
    out, err = first.communicate()
    assert (first.returncode, err) == (130, "interrupted\n"), out
    until = time.monotonic() + 60  # the step would take 1000
    while is_alive(int(pid.read_text())) and time.monotonic() < until:
        time.sleep(0.05)
    assert not is_alive(int(pid.read_text()))

    known = [tmp_path / "1.0", *tmp_path.glob("kept/*/ready")]
    written = [file.stat().st_mtime_ns for file in known]
    second = start()
    out, _ = second.communicate()
    assert second.returncode == 0, out
    missing = f"{NAME} 1.0.5  cannot be installed: No matching distribution found for nowhere"
    assert out.splitlines()[2].startswith(missing)  # pip may say for whom
    assert out.splitlines()[3:] == [
        "",
        f"the verdict changes between {NAME} 1.0 and 1.1",
        "nothing could be judged with 1.0.5",
    ]
    assert written == [file.stat().st_mtime_ns for file in known]
    assert len(known) == 3
