"""How processes start, talk and end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from symmetry.base.processes import (
    children,
    command,
    end_children,
    ending,
    start,
    take_pipes,
    waited,
)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exit status 0"),
        (7, "exit status 7"),
        (-int(signal.SIGTERM), "signal SIGTERM"),
        (-250, "signal 250"),
    ],
)
def test_endings_in_words(status: int, words: str) -> None:
    assert ending(status) == words


@pytest.mark.skipif(not Path("/proc/self/schedstat").exists(), reason="not reported here")
def test_a_process_waits_for_a_processor_that_another_one_uses() -> None:
    processor = {min(os.sched_getaffinity(0))}
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    try:
        for process in busy:
            os.sched_setaffinity(process.pid, processor)
        deadline = time.monotonic() + 30
        while waited(busy[0].pid) < 0.1 and time.monotonic() < deadline:
            time.sleep(0.05)
        assert waited(busy[0].pid) >= 0.1
    finally:
        for process in busy:
            process.kill()
            process.wait()


def test_a_process_that_has_ended_waits_for_nothing() -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    assert waited(ended.pid) == 0


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Yield a folder with a package that is imported here, and work in another one."""
    (tmp_path / "talking").mkdir()
    (tmp_path / "talking" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    __import__("talking")
    yield tmp_path
    sys.modules.pop("talking", None)


def test_the_working_directory_holds_no_libraries(package: Path) -> None:
    Path("json.py").write_text("raise SystemExit('taken for a library')")
    (package / "talking" / "answer.py").write_text(
        "import json, sys\ndef main():\n    print(json.dumps(sys.argv[1:]))\n"
    )
    words = command("talking.answer", "one", "two")
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == '["one", "two"]\n'


@pytest.mark.skipif(os.name != "posix", reason="sessions are POSIX's")
def test_the_pipes_are_for_messages_and_all_else_goes_to_standard_error(package: Path) -> None:
    (package / "talking" / "answer.py").write_text(
        "import os, sys\n"
        "from symmetry.base.processes import take_pipes\n"
        "def main():\n"
        "    questions, answers = take_pipes()\n"
        "    print('printed')\n"
        "    os.write(1, b'written')\n"
        "    answers.write(questions.read() + sys.stdin.read().encode() + b'!')\n"
        "    answers.flush()\n"
    )
    root = str(Path(__file__).parents[2])
    environment = {**os.environ, "PYTHONPATH": root}
    process = start("talking.answer", stderr=subprocess.PIPE, env=environment)
    assert os.getsid(process.pid) != os.getsid(0)
    out, err = process.communicate(b"asked", timeout=60)
    assert out == b"asked!"
    assert b"printed" in err
    assert b"written" in err


@pytest.mark.skipif(sys.platform != "linux", reason="nobody knows its children there")
def test_children_are_ended_but_those_that_were_there() -> None:
    before = children()
    waits = [sys.executable, "-c", "import time; time.sleep(1000)"]
    kept, ended = (subprocess.Popen(waits, start_new_session=True) for _ in range(2))
    assert children() == before | {kept.pid, ended.pid}
    end_children(before | {kept.pid})
    assert children() == before | {kept.pid}
    assert kept.poll() is None
    kept.kill()
    kept.wait()
    ended.wait()


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="there are no terminals")
def test_a_process_has_the_terminal_of_its_user_as_standard_input():
    ours, theirs = os.openpty()
    code = """
import sys
import tests
from symmetry.base.processes import start
process = start("tests.base.test_processes")
sys.exit(process.communicate()[0].decode() != "True")
"""
    for stream, status in ((theirs, 0), (subprocess.DEVNULL, 1)):
        command = [sys.executable, "-c", code]
        assert subprocess.run(command, stdin=stream, check=False).returncode == status
    os.close(ours)
    os.close(theirs)


def main() -> None:
    """Answer whether standard input is a terminal."""
    _, answers = take_pipes()
    answers.write(str(os.isatty(0)).encode())
    answers.flush()
