from __future__ import annotations

import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from symmetry.base import fork, memory
from symmetry.base.errors import SymmetryError


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (0, "0 bytes"),
        (1023, "1023 bytes"),
        (1024, "1.0 KiB"),
        (1536, "1.5 KiB"),
        (5 * 2**30, "5.0 GiB"),
        (2**50 - 1, "1023.9 TiB"),
        (3 * 2**80, "3.0 YiB"),
        (10**4000, "over a million YiB"),
    ],
)
def test_sizes_in_words(size: int, words: str) -> None:
    assert memory.in_words(size) == words


def test_this_machine_has_some_memory() -> None:
    there = memory.available()
    assert there is None or 2**20 < there < 2**60


def test_what_is_free_is_given_back() -> None:
    if not Path("/proc/self/statm").exists() or platform.libc_ver()[0] != "glibc":
        pytest.skip("needs Linux with glibc")
    pieces = [np.ones(1 << 13) for _ in range(3200)]  # 200 MiB in pieces of 64 KiB
    kept = [*pieces[::100], pieces[-1]]
    del pieces
    before = resident()
    memory.give_back()
    assert before - resident() > 100 << 20
    assert len(kept) == 33


def test_memory_is_kept_for_the_next_array() -> None:
    if not Path("/proc/self/statm").exists() or platform.libc_ver()[0] != "glibc":
        pytest.skip("needs Linux with glibc")
    usual, kept = (int(subprocess.check_output([sys.executable, "-c", c])) for c in (CODE, KEPT))
    assert kept < usual / 2  # pages that were not there


CODE = """
import resource
for _ in range(3):
    bytearray(b"x") * (40 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
"""
KEPT = f"from symmetry.base.memory import keep; keep(){CODE}"


def resident() -> int:
    """Return how many bytes of this process are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_smallest_limit_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "limits", lambda: iter([4096, 1000, 2000]))
    memory.refuse_beyond_memory(1000)
    with pytest.raises(SymmetryError, match=r"1\.0 KiB of memory, and there are 1000 bytes"):
        memory.refuse_beyond_memory(1024)


def test_where_the_system_does_not_tell_nothing_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "limits", lambda: iter(()))
    assert memory.available() is None
    memory.refuse_beyond_memory(10**30)


def test_a_container_limit_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(path: Path) -> str:
        return "12345\n" if path.name == "memory.max" else "max\n"

    monkeypatch.setattr(Path, "read_text", read)
    assert memory.available() == 12345


def test_the_size_of_a_training_is_that_of_its_arrays() -> None:
    sizes = (60_000, 784, 200, 10)
    inputs, layer, weights = 60_000 * 785, 60_000 * 200, 785 * 200 + 201 * 10
    needed = memory.bytes_to_train(sizes, "float32", inputs=2, layers=3, weights=4)
    assert needed == 4 * (2 * inputs + 3 * layer + 4 * weights)
    assert memory.bytes_to_train(sizes, "float64", inputs=2, layers=3, weights=4) == 2 * needed


@pytest.mark.skipif(not fork.POSSIBLE, reason="processes are forked on Linux alone")
def test_the_cpu_seconds_of_a_fork_count() -> None:
    def work() -> None:
        while time.process_time() < 0.3:  # it begins at 0 in a fork
            pass

    before = memory.used()["cpu_seconds"]
    fork.forked(work)
    assert memory.used()["cpu_seconds"] > before + 0.2
