from __future__ import annotations

import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import pytest
from numba.core import caching

from symmetry.network.compiler import njit
from tests.cli.process import symmetry


def add_one(value: int) -> int:
    return value + 1


def compiled() -> Callable[..., Any]:
    dispatcher: Callable[..., Any] = njit(error_model="numpy")(add_one)
    return dispatcher


def hits(dispatcher: Any) -> int:
    return sum(dispatcher.stats.cache_hits.values())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep the cache of this test's function apart from all others."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path


def test_what_was_compiled_is_found_again(place: Path) -> None:
    assert compiled()(1) == 2
    again = compiled()
    assert again(1) == 2
    assert hits(again) == 1


@pytest.mark.slow
def test_what_is_found_needs_nothing_that_only_compiles(place: Path) -> None:
    code = (
        "import sys; from tests.network.test_compiler import compiled; assert compiled()(1) == 2;"
        "print('numba.np.arraymath' in sys.modules)"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(place)}
    for expected in ("True\n", "False\n"):  # compiled, then found
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout == expected


def test_processes_that_compile_at_the_same_time_keep_apart(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_index = caching.IndexDataCacheFile._save_index
    others = [compiled()]

    def save_last(*arguments: Any) -> None:
        if others:  # in between another process saves its code, for another type
            others.pop()(1.0)
        save_index(*arguments)

    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_index", save_last)
    assert compiled()(1) == 2
    assert len(list(place.rglob("*.nbc"))) == 2


@pytest.mark.parametrize("suffix", [".nbi", ".nbc"])
@pytest.mark.parametrize("left", [0, 1, 40])
def test_a_truncated_file_is_replaced(place: Path, suffix: str, left: int) -> None:
    compiled()(1)
    (file,) = place.rglob(f"*{suffix}")
    file.write_bytes(file.read_bytes()[:left])
    for expected in (0, 1):  # compiled once, then found again
        again = compiled()
        assert again(1) == 2
        assert hits(again) == expected


def test_a_disk_without_room_is_no_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(caching.IndexDataCacheFile, "_save_index", refuse)
    assert compiled()(1) == 2


@pytest.fixture
def nowhere(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Take away all places that Numba itself would use; return that of temporary files."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    ours = [c for c in caching.CacheImpl._locator_classes if "UserProvided" in c.__name__]
    monkeypatch.setattr(caching.CacheImpl, "_locator_classes", ours)
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def test_without_a_cache_a_private_temporary_one_is_made_and_named_once(
    nowhere: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compiled()(1) == 2
    again = compiled()
    assert again(1) == 2
    assert hits(again) == 1
    (directory,) = nowhere.iterdir()
    assert stat.S_IMODE(directory.stat().st_mode) & 0o077 == 0
    captured = capsys.readouterr()
    assert captured.err == (
        f"note: compiled code is kept in {directory}, since no other cache can be written\n"
    )
    assert captured.out == ""
    numba.config.CACHE_DIR = ""  # as in another process
    assert hits(compiled()) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="no owners and permissions here")
@pytest.mark.parametrize("trap", ["writable", "link", "file"])
def test_a_temporary_directory_that_others_can_write_to_is_not_used(
    nowhere: Path, capsys: pytest.CaptureFixture[str], trap: str
) -> None:
    directory = nowhere / f"symmetry-{os.getuid()}"
    if trap == "writable":
        directory.mkdir()
        directory.chmod(0o777)
    elif trap == "link":
        (nowhere / "elsewhere").mkdir()
        directory.symlink_to(nowhere / "elsewhere")
    else:
        directory.touch()
    assert compiled()(1) == 2
    assert capsys.readouterr().err == (
        "note: compiled code is not kept, since no cache can be written: each start takes a while\n"
    )
    assert not list(nowhere.rglob("*.nb?"))


@pytest.mark.slow
def test_the_core_cannot_do_without_the_compiler_but_a_foreign_step_can(tmp_path: Path) -> None:
    (tmp_path / "user.py").write_text("def step(x, y, w1, w2, lr):\n    return w1 + 1, w2 + 1\n")
    foreign = ("check", "user.py:step", "--only", "*/w1-columns", "--examples", 2)
    finished = symmetry(*foreign, cwd=tmp_path, NUMBA_DISABLE_JIT="1")
    assert finished.status == 0, finished
    for command in (("check", "--examples", 2), ("run",)):
        finished = symmetry(*command, cwd=tmp_path, NUMBA_DISABLE_JIT="1")
        assert finished.status == 2
        assert len(finished.err.splitlines()) == 1
        assert "NUMBA_DISABLE_JIT is set: unset it" in finished.err, sys.platform
