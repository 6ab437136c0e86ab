"""Whatever a target does to its process, the command ends as it should, and says what happened."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from symmetry.base import fork
from symmetry.base.calls import Pace
from symmetry.cli.isolation.parent import why_slow
from symmetry.sandbox.confinement import confined
from tests.catalogues import select
from tests.cli.process import (
    INTERRUPTIBLE,
    Finished,
    assert_one_line,
    environment,
    is_alive,
    symmetry,
)
from tests.conftest import slow

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and forks are sent and made")

FEW = ("--dtype", "float32", "--examples", 2, "--timeout", 0.3)
SOUND = {"holds", "rounding"}  # the steps are NumPy's, whose sums depend on the processor
NAMES = [i.name for i in select(["*/w1-columns", "*/permutation", "*/w2-rows"])]
TWO = ("--only", "symmetry/w1-columns", "--only", "symmetry/permutation", "--only", "*/w2-rows")


def check(step: str, *arguments: object, cwd: Path, **changes: str) -> Finished:
    return symmetry(
        "check", "--verbose", f"tests.cli.misbehaving:{step}", *arguments, cwd=cwd, **changes
    )


@pytest.mark.parametrize(
    ("step", "found"),
    [
        ("exits", "the target ended its process (exit status 0)"),
        slow("becomes_another", "the target ended its process (exit status 0)"),
        slow("crashes", "the target's process was killed (signal SIGSEGV)"),
        slow("aborts", "the target's process was killed (signal SIGABRT)"),
        slow("kills_itself", "the target's process was killed (signal SIGKILL, as the system does"),
        slow("kills_the_group", "the target's process was killed (signal SIGTERM)"),
        slow("loops", "the target did not return within"),
        slow("sleeps", "the target did not return within"),
        slow("holds_the_lock", "the target did not return within"),
        slow("stops", "the target did not return within"),
        slow("closes", "the target"),
        slow("writes_everywhere", "the target ended its process"),
        slow("replaces_exits", "the target ended its process (exit status 0)"),
        slow("exits_in_a_thread", "the target ended its process (exit status 0)"),
        slow("exits_when_read", "the target ended its process (exit status 0)"),
        slow("interrupts", "the target raised KeyboardInterrupt"),
        slow("stops_the_clock", "the target did not return within"),
        slow("replaces_builtins", "process was killed (signal SIGKILL"),
    ],
)
def test_a_step_that_misbehaves_ends_its_check(step: str, found: str, tmp_path: Path) -> None:
    began = time.monotonic()
    finished = check(step, *TWO, *FEW, cwd=tmp_path)
    assert time.monotonic() - began < 300  # what sleeps would take 1000
    assert finished.status == 1, finished
    assert "Traceback" not in finished.out + finished.err
    lines = [line.split(maxsplit=3) for line in finished.out.splitlines()[3:6]]
    assert [name for name, *_ in lines] == NAMES
    running = NAMES.index("symmetry/permutation")
    assert {kind for _, _, kind, *_ in lines[:running]} <= SOUND
    assert lines[running][2] == "error"
    assert found in lines[running][3]
    others = [" ".join(words).split(maxsplit=2) for _, _, *words in lines[running + 1 :]]
    assert all(words[:2] == ["not", "finished"] for words in others)
    assert all(words[2].startswith("not run: ") for words in others)
    assert found in finished.out
    assert "symmetry/permutation in float32: error" in finished.out
    assert "--only symmetry/permutation --case '{" in finished.out
    assert "--seed" not in finished.out


@pytest.mark.slow
def test_an_error_of_the_check_itself_proves_nothing(tmp_path: Path) -> None:
    finished = check("forgets_the_modules", *TWO, *FEW, cwd=tmp_path)
    assert finished.status == 2, finished
    assert "not finished      stopped by an error of symmetry itself: " in finished.out
    assert "error: stopped by an error of symmetry itself: " in finished.err
    assert "Traceback" not in finished.out + finished.err


@pytest.mark.parametrize("given", [None, slow("active")])
def test_threads_without_work_sleep_unless_the_user_says_otherwise(
    given: str | None, tmp_path: Path
) -> None:
    changes = {} if given is None else {"OMP_WAIT_POLICY": given}
    finished = check("names_its_wait_policy", *TWO, *FEW, cwd=tmp_path, **changes)
    assert f"threads wait: {given or 'passive'}" in finished.out


@pytest.mark.parametrize(
    "training",
    [
        slow("exits_in_float64"),
        slow("exits_now_and_then"),
        slow("exits_in_a_thread"),
        slow("exits_when_made"),
        slow("crashes"),
        slow("holds_the_lock"),
        slow("closes"),
    ],
)
def test_a_training_that_misbehaves_ends_its_check(training: str, tmp_path: Path) -> None:
    name = f"tests.cli.misbehaving_trainings:{training}"
    few = ("--only", "symmetry/repeatable", "--only", "training/moves", "--only", "*/zero-rate")
    finished = symmetry("check", "--verbose", name, *few, "--timeout", 2, cwd=tmp_path)
    assert finished.status == 1, finished
    assert "Traceback" not in finished.out + finished.err
    lines = [line.split(maxsplit=3) for line in finished.out.splitlines()[3:7]]
    (error,) = [line for line in lines if line and line[2] == "error"]
    assert "the target" in error[3]
    assert not error[3].startswith("not run: ")
    rest = lines[lines.index(error) + 1 :]
    assert all("finished" in words[3] and "not run: the target" in words[3] for words in rest)


@pytest.mark.slow
def test_a_copy_of_the_process_has_no_say(tmp_path: Path) -> None:
    finished = check("forks", "--only", "symmetry/permutation", *FEW, cwd=tmp_path)
    assert finished.status == 1, finished
    assert finished.out.count(" float32  violated ") == 1


@pytest.mark.slow
def test_threads_and_exit_handlers_that_are_left_change_nothing(tmp_path: Path) -> None:
    finished = check("leaves_threads", *TWO, *FEW, cwd=tmp_path)
    assert finished.status == 0, finished
    assert finished.out.splitlines()[-1].startswith("sound")


def test_a_step_cannot_say_in_our_place_that_all_is_done(tmp_path: Path) -> None:
    finished = check("replaces_dumps", *TWO, *FEW, cwd=tmp_path)
    assert finished.status == 1, finished
    assert finished.out.count(" float32  violated ") == 3


def test_little_of_what_is_printed_is_shown_and_nothing_heavy_waits(tmp_path: Path) -> None:
    code = (
        "import sys; from symmetry.cli import execute; status = execute(sys.argv[1:]); "
        "print([name for name in ('numpy', 'numba', 'hypothesis', 'rich') if name in sys.modules]);"
        "sys.exit(status)"
    )
    words = ("check", "--verbose", "tests.cli.misbehaving:prints", *TWO, *FEW)
    finished = symmetry(*words, cwd=tmp_path, command=(sys.executable, "-c", code))
    assert finished.status == 0, finished
    assert finished.out.splitlines()[-1] == "[]"
    assert "aaa" not in finished.out
    assert 10_000 < len(finished.err) < 10_200
    assert finished.err.count("(the target prints more, which is not shown)") == 1


def test_files_are_written_where_the_command_was_called(tmp_path: Path) -> None:
    finished = check("moves_away", *TWO, *FEW, "--line", "a.json", cwd=tmp_path)
    assert finished.status == 0, finished
    assert (tmp_path / "a.json").exists()


def test_a_target_that_never_returns_is_given_up_after_its_first_call(tmp_path: Path) -> None:
    finished = check("HangsWhenMade", *TWO, *FEW, cwd=tmp_path)
    assert finished.status == 1, finished
    end = "the target did not return within 1.5 seconds (--timeout)"
    assert finished.out.count(f"not run: {end}") == 2


NOT_IMPORTED = [
    ("import os; os._exit(0)", "ended its process (exit status 0)"),
    slow("import time; time.sleep(1000)", "did not return within 1.5 seconds"),
    slow("import ctypes; ctypes.string_at(0)", "killed (signal SIGSEGV)"),
    slow("raise SystemExit(0)", "importing target.py raised SystemExit: 0"),
]


@pytest.mark.parametrize(("text", "found"), NOT_IMPORTED)
def test_a_target_that_cannot_be_imported(text: str, found: str, tmp_path: Path) -> None:
    (tmp_path / "target.py").write_text(text)
    assert_one_line(symmetry("check", "--verbose", "target.py:step", *FEW, cwd=tmp_path), found)


@pytest.mark.slow
@pytest.mark.parametrize(("text", "found"), NOT_IMPORTED)
def test_others_are_checked_beside_one_that_cannot_be_imported(
    text: str, found: str, tmp_path: Path
) -> None:
    (tmp_path / "target.py").write_text(text)
    (tmp_path / "other.py").write_text("def step(x, y, w1, w2, lr):\n    return w1 + 1, w2 + 1\n")
    several = ("check", "--verbose", "target.py:step", "other.py:step", *TWO, *FEW)
    finished = symmetry(*several, cwd=tmp_path)
    assert finished.status == 2, finished
    assert found in finished.out
    assert any(f"symmetry/w1-columns   float32  {verdict}" in finished.out for verdict in SOUND)


@pytest.mark.slow
@pytest.mark.parametrize("sent", [signal.SIGINT, slow(signal.SIGTERM)])
def test_both_processes_end_at_once(sent: signal.Signals, tmp_path: Path) -> None:
    (tmp_path / "target.py").write_text(
        "import os, pathlib, time\n"
        "def step(x, y, w1, w2, lr):\n"
        "    pathlib.Path('pid').write_text(str(os.getpid()))\n"
        "    time.sleep(1000)\n"
    )
    process = subprocess.Popen(
        [*INTERRUPTIBLE, "check", "target.py:step", "--writable", str(tmp_path)],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    pid = tmp_path / "pid"
    while process.poll() is None and not (pid.exists() and pid.read_text()):
        time.sleep(0.05)
    began = time.monotonic()
    process.send_signal(sent)
    _, err = process.communicate()
    assert time.monotonic() - began < 60  # the step would take 1000
    assert process.returncode == 130
    assert err == b"interrupted\n"
    assert not is_alive(int(pid.read_text()))


def test_in_process_nothing_is_between(tmp_path: Path) -> None:
    finished = check("exits", *TWO, *FEW, "--in-process", cwd=tmp_path)
    assert finished.status == 0  # that is what the other process is for


@pytest.mark.parametrize(
    ("pace", "what", "about", "cure"),
    [
        (Pace(4, 1, 40.0), "a run takes 10 seconds", "55: 9 min", "a smaller batch or model,"),
        (
            Pace(4, 1, 40.0, setup=9.0),
            "a run needs 9 seconds before its first step",
            "20: 4 min" if fork.POSSIBLE else "55: 9 min",
            "less data, by arguments of the script,",
        ),
        (
            Pace(4, 1, 40.0, evaluations=1200, evaluated=36.0, evaluates="train.py:7"),
            "a run calls models without gradients 300 times (train.py:7): 9 seconds",
            "55: 9 min",
            "less evaluation, by arguments of the script,",
        ),
    ],
)
def test_what_makes_a_check_slow_is_told(pace: Pace, what: str, about: str, cure: str) -> None:
    shorter = f"{cure} --only or --budget SECONDS make it shorter"
    assert why_slow(pace) == f"{what}, and a check makes about {about}; {shorter}"
    more = f"{cure} or a larger --budget lets it judge more"
    assert why_slow(pace._replace(limit=60.0)) == f"{what}, and a check makes about {about}; {more}"
    assert why_slow(pace._replace(limit=600.0)) == ""


@pytest.mark.parametrize(
    "pace",
    [
        Pace(1, 2, 600.0),
        Pace(4, 1, 4.0),
        # Calls without gradients come before the first run is counted.
        Pace(0, 0, 0.0, evaluations=9, evaluated=50.0, limit=60.0),
    ],
)
def test_what_is_fast_or_not_yet_known_is_not_told(pace: Pace) -> None:
    assert why_slow(pace) == ""


@pytest.mark.skipif(not confined.is_possible(), reason="the kernel confines no process")
def test_a_step_whose_writes_are_refused_is_not_accused(tmp_path: Path) -> None:
    (tmp_path / "target.py").write_text(
        "import pathlib\n"
        "from symmetry.network import formulas\n"
        "def step(x, y, w1, w2, lr):\n"
        "    pathlib.Path('log').write_text('a step')\n"
        "    return formulas.step(x, y, w1, w2, lr)\n"
    )
    words = ("check", "target.py:step", "--only", "symmetry/pure", "--examples", "1")
    refused = symmetry(*words, cwd=tmp_path)
    assert refused.status == 2, refused
    assert f"not checked: it writes to {tmp_path}, and a check changes no files" in refused.err
    assert f"allow it with --writable {tmp_path}\n" in refused.err
    assert symmetry(*words, "--writable", ".", cwd=tmp_path).status == 0
    assert (tmp_path / "log").exists()
