"""Forks hand results back, share nothing else, and are never left behind."""

from __future__ import annotations

import mmap
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from symmetry.base import fork
from symmetry.base.calls import calling, running
from symmetry.base.fork import Apart, Branch, Fork, ForkError, forked, held
from symmetry.base.processes import children, command

pytestmark = pytest.mark.skipif(not fork.POSSIBLE, reason="processes are forked on Linux alone")


def _killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _raised() -> None:
    raise ValueError("no")


class _Unloadable:
    """A result that is sent, and cannot be received."""

    def __reduce__(self) -> tuple[object, ...]:
        return _raised, ()


def test_a_result_comes_back_and_nothing_else_does() -> None:
    numbers = [1, 2]

    def add() -> tuple[list[int], int]:
        numbers.append(3)
        return numbers, os.getpid()

    (found, process), seconds = forked(add)
    assert found == [1, 2, 3]
    assert numbers == [1, 2]
    assert process != os.getpid()
    assert 0 < seconds < 60


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_raised, "ValueError: no"),
        (_killed, "it has ended"),
        (lambda: os._exit(3), "it has ended"),
        (lambda: lambda: None, "local object"),  # a result
        (_Unloadable, "ValueError: no"),
    ],
)
def test_a_fork_without_a_result_is_an_error(function, message) -> None:
    before = children()
    with pytest.raises(ForkError, match=message):
        forked(function)
    assert children() <= before


def test_without_memory_for_a_fork_no_pipe_is_left(monkeypatch) -> None:
    def fork() -> int:
        raise OSError("no memory")

    before = held()
    monkeypatch.setattr(os, "fork", fork)
    with pytest.raises(ForkError, match="no memory"):
        forked(lambda: None)
    assert held() == before


def test_a_fork_that_hangs_is_ended(monkeypatch) -> None:
    monkeypatch.setattr(fork, "SILENCE", 0.1)
    monkeypatch.setattr(fork, "BETWEEN", 0.05)
    before = children()
    with pytest.raises(ForkError, match="it hangs"):
        forked(lambda: time.sleep(60))
    assert children() <= before


def test_an_interrupted_process_leaves_no_fork() -> None:
    before, usual = children(), signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(KeyboardInterrupt):
            forked(lambda: time.sleep(60))
    finally:
        signal.signal(signal.SIGALRM, usual)
    assert children() <= before


def main() -> None:
    """Fork this process, and say the number of the fork."""

    def told() -> None:
        print(os.getpid(), flush=True)
        time.sleep(60)

    real, os.dup2 = os.dup2, lambda *_, **__: 0  # what a fork prints is seen
    forked(told)
    os.dup2 = real


def test_a_killed_process_leaves_no_fork() -> None:
    words = command(__name__)
    process = subprocess.Popen(words, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": "."})
    assert process.stdout
    number = int(process.stdout.readline())
    process.kill()
    process.wait()
    deadline = time.monotonic() + 30
    while _runs(number) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.stdout.close()
    assert not _runs(number)


def _runs(number: int) -> bool:
    """Return whether a process has not ended: one that nobody waits for is a zombie."""
    try:
        return ") Z" not in Path(f"/proc/{number}/stat").read_text()
    except OSError:
        return False


def test_calls_are_counted_as_if_they_were_made_here() -> None:
    def call() -> None:
        for _ in range(3):
            with calling("fork"):
                pass

    before = running.calls
    forked(call)
    assert running.calls == before + 3
    assert not running.inside


def test_runs_of_a_fork_beside_this_process_are_counted_beside_its_own(monkeypatch) -> None:
    monkeypatch.setattr(running, "run", 4)
    monkeypatch.setattr(running, "beside", 1)

    def two() -> Iterator[int]:
        for _ in range(2):
            running.run += 1
            with calling("fork"):
                pass
            yield running.run

    with Fork(two, beside=True) as fork:
        assert [fork.receive(), fork.receive()] == [5, 6]
    assert (running.run, running.beside) == (4, 3)
    assert running.pace.beside == 3


def test_memory_is_shared_until_it_is_written() -> None:
    array = bytearray(b"x" * 200_000_000)

    def own() -> int:
        text = Path("/proc/self/smaps_rollup").read_text()
        lines = (line.split() for line in text.splitlines())
        return sum(1024 * int(words[1]) for words in lines if words[0].startswith("Private"))

    def write() -> int:
        array[::4096] = bytes(len(array[::4096]))
        return own()

    assert forked(own)[0] < len(array) / 4
    assert forked(write)[0] > len(array)
    assert array[0] == ord("x")


def test_no_message_waits_for_the_next_one() -> None:
    reading, writing = os.pipe()
    before = running.calls
    counted = []

    def call() -> bytes:
        for _ in range(50):
            with calling("fork"):
                pass
        return os.read(reading, 1)  # waits until its calls are counted

    def answer() -> None:
        deadline = time.monotonic() + 10
        while running.calls < before + 50 and time.monotonic() < deadline:
            time.sleep(0.01)
        counted.append(running.calls - before)
        os.write(writing, b"!")

    thread = threading.Thread(target=answer)
    thread.start()
    found, _ = forked(call)
    thread.join()
    for end in (reading, writing):
        os.close(end)
    assert (found, counted) == (b"!", [50])


def test_a_fork_reads_and_writes_files_from_a_place_of_its_own(tmp_path) -> None:
    (tmp_path / "text").write_text("abcdef")
    with (tmp_path / "text").open("r+b", buffering=0) as file:
        file.seek(2)

        def read() -> bytes:
            found = file.read(2)
            file.write(b"X")
            return found

        assert forked(read)[0] == b"cd"
        assert file.read() == b"cdXf"


def test_what_a_fork_lacks_or_shares_is_held(tmp_path) -> None:
    before = held()
    (tmp_path / "file").write_bytes(bytes(4096))
    with (tmp_path / "file").open("r+b") as file:
        assert held() == before
        with mmap.mmap(file.fileno(), 4096):
            assert held() - before
        with mmap.mmap(file.fileno(), 4096, access=mmap.ACCESS_READ):
            assert held() == before
    ends = os.pipe()
    assert held() - before
    for end in ends:
        os.close(end)
    end_now = threading.Event()
    thread = threading.Thread(target=end_now.wait)
    thread.start()
    assert held() - before
    end_now.set()
    thread.join()


def test_a_thread_that_a_fork_does_without_is_not_held() -> None:
    named, end_now = threading.Event(), threading.Event()

    def run() -> None:
        Path(f"/proc/self/task/{threading.get_native_id()}/comm").write_text("jemalloc_bg_thd")
        named.set()
        end_now.wait()

    before, thread = held(), threading.Thread(target=run)
    thread.start()
    try:
        assert named.wait(60)
        assert held() == before
    finally:
        end_now.set()
        thread.join()


def test_the_threads_of_a_library_are_a_pool() -> None:
    code = (
        "import os, torch\nfrom symmetry.base.fork import has_pool\nassert not has_pool()\n"
        "torch.set_num_threads(2)\ntorch.randn(10**6).exp()\nprint(has_pool())"
    )
    out = subprocess.check_output([sys.executable, "-c", code], text=True)
    assert out == "True\n"


def test_a_branch_goes_on_where_it_is_and_gives_one_result() -> None:
    def evaluation() -> tuple[int, int]:
        branch = Branch(5.0)
        number = 2 if branch.inside else 1
        if branch.inside:
            branch.end(number)
        with branch:
            return number, branch.receive()

    assert evaluation() == (1, 2)


def test_a_branch_is_killed_when_its_time_is_over() -> None:
    branch = Branch(0.1)
    while branch.inside:
        pass
    with branch, pytest.raises(ForkError):
        branch.receive()


def test_a_branch_writes_nothing_into_an_open_file(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as file:
        branch = Branch(5.0)
        if branch.inside:
            file.write("from the branch")
            file.flush()
            branch.end(None)
        with branch:
            branch.receive()
    assert (tmp_path / "log").read_text() == ""


def _answers() -> None:
    """Answer what comes through standard input, and what else this process has."""
    given = os.read(0, 9)
    others = [name for name in held() if name.startswith(("pipe", "socket"))]
    os.write(1, f"{given.decode()} {os.getsid(0) == os.getpid()} {len(others)}".encode())
    fork._exit(3)


def test_a_fork_apart_has_pipes_a_session_and_nothing_else_of_this_process() -> None:
    with socket.socket() as other:
        before, apart = held(), Apart(_answers)
        assert apart.poll() is None
        apart.stdin.write(b"question")
        apart.stdin.close()
        assert apart.stdout.read() == b"question True 2"
        apart.stdout.close()
        assert (apart.wait(), apart.poll()) == (3, 3)
        apart.kill()  # it has ended
        assert held() == before
        assert other.fileno() > 0


def test_a_fork_apart_is_killed() -> None:
    apart = Apart(lambda: time.sleep(60))
    apart.kill()
    assert apart.wait() == -signal.SIGKILL
    apart.stdin.close()
    apart.stdout.close()


def test_without_memory_for_a_fork_apart_no_pipe_is_left(monkeypatch) -> None:
    def no_fork() -> int:
        raise OSError("no memory")

    before = held()
    monkeypatch.setattr(os, "fork", no_fork)
    with pytest.raises(ForkError, match="no memory"):
        Apart(lambda: None)
    assert held() == before
