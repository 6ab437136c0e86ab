from __future__ import annotations

import itertools
import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.base.files import writable_directory, writable_files, write_all
from tests.cli.process import environment


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    write_all({tmp_path / "a.md": "±1\n\nü\r\n"})
    assert (tmp_path / "a.md").read_bytes() == "±1\n\nü\r\n".encode()
    assert names(tmp_path) == ["a.md"]


def test_files_get_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_all({tmp_path / "ours": b""})
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")]
    assert modes[0] == modes[1]


def test_none_of_several_files_is_replaced_if_one_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(SymmetryError, match=r"cannot write .*no such place.c: No such file"):
        write_all({tmp_path / "a": b"new", tmp_path / "no such place" / "c": b"new"})
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_files_that_were_replaced_are_restored_if_a_later_one_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "z").mkdir()  # nothing is renamed to a directory
    new = dict.fromkeys((tmp_path / "a", tmp_path / "b", tmp_path / "z"), b"new")
    with pytest.raises(SymmetryError, match=r"cannot write .*z: Is a directory"):
        write_all(new)
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a", "z"]


def test_a_name_as_long_as_can_be_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 252 + ".md")
    writable_files(path)
    write_all({path: "text"})
    assert path.read_text() == "text"


def test_without_another_process_files_are_written_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "fork")
    write_all({tmp_path / "a.md": "text"})
    assert names(tmp_path) == ["a.md"]


def test_remains_of_killed_processes_are_removed(tmp_path: Path) -> None:
    place = tmp_path / "reports"
    place.mkdir()
    (place / ".symmetry-1-0.part").touch()
    write_all({place / "a.md": "text"})
    assert names(place) == ["a.md"]
    assert names(tmp_path) == ["reports"]


def test_a_directory_keeps_its_identity_and_what_else_is_in_it(tmp_path: Path) -> None:
    place = tmp_path / "reports"
    place.mkdir(mode=0o750)
    (place / "notes").write_text("mine")
    (place / "link").symlink_to("nowhere")
    before = place.stat(), (place / "notes").stat()
    write_all({place / "a": b"a", place / "b": b"b"})
    after = place.stat(), (place / "notes").stat()
    assert [(s.st_ino, s.st_mode) for s in after] == [(s.st_ino, s.st_mode) for s in before]
    assert (place / "link").is_symlink()
    assert names(place) == ["a", "b", "link", "notes"]
    assert names(tmp_path) == ["reports"]


def test_a_directory_with_directories_in_it(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "notes").write_text("mine")
    write_all({tmp_path / "a": b"a", tmp_path / "b": b"b"})
    assert (tmp_path / "sub" / "notes").read_text() == "mine"
    assert names(tmp_path) == ["a", "b", "sub"]


def test_several_processes_write_to_one_directory(tmp_path: Path) -> None:
    program = (
        "import sys\nfrom pathlib import Path\nfrom symmetry.base.files import write_all\n"
        "for _ in range(5): write_all({Path(name): name.encode() for name in sys.argv[1:]})"
    )
    given = [[str(tmp_path / f"{n}{letter}") for letter in "ab"] for n in range(4)]
    processes = [
        subprocess.Popen([sys.executable, "-c", program, *paths], env=environment())
        for paths in given
    ]
    assert [process.wait() for process in processes] == [0] * 4
    assert names(tmp_path) == sorted(Path(path).name for paths in given for path in paths)


WRITER = """
import itertools, sys
from pathlib import Path
from symmetry.base.files import write_all

paths = [Path(sys.argv[1], name) for name in "abcdef"]
for number in itertools.count():
    write_all(dict.fromkeys(paths, f"{number}".encode() * 1000))
    print(number, flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals are sent")
def test_a_kill_leaves_a_whole_report_old_or_new(tmp_path: Path) -> None:
    """Kill the process, its whole group even, while each of the files is being replaced."""
    for turn in range(12):
        place = tmp_path / str(turn)
        place.mkdir()
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, place],
            stdout=subprocess.PIPE,
            env=environment(),
            start_new_session=True,
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            watched = place / "abcdef"[turn % 6]
            before = watched.stat().st_ino
            while watched.stat().st_ino == before:
                pass
            os.killpg(process.pid, signal.SIGKILL)
        for _ in range(200):  # the renames that were under way
            if names(place) == list("abcdef"):
                break
            time.sleep(0.01)
        assert names(place) == list("abcdef")
        assert len({path.read_bytes() for path in place.iterdir()}) == 1


@pytest.mark.skipif(os.name != "posix", reason="signals are sent")
def test_what_the_killed_copy_has_begun_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, turns, rename = os.getpid(), itertools.count(), os.replace
    deaths = tmp_path / "deaths"

    def dying(*paths: Any) -> None:
        if os.getpid() != ours and next(turns) == 1:
            deaths.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        rename(*paths)

    place = tmp_path / "reports"
    place.mkdir()
    monkeypatch.setattr(os, "replace", dying)
    write_all({place / name: name.encode() for name in "abcd"})
    assert deaths.exists()
    assert names(place) == ["a", "b", "c", "d"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    write_all({tmp_path / "link": b"new"})
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "file").read_bytes() == b"new"
    assert names(tmp_path / "there") == ["file"]


def test_a_directory_is_made_and_left_empty(tmp_path: Path) -> None:
    writable_directory(tmp_path / "a" / "b")
    assert names(tmp_path / "a" / "b") == []


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_file_is_no_directory(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SymmetryError, match=f"cannot write into .*{place}: it is not a directory"):
        writable_directory(tmp_path / place)


def test_a_directory_that_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(**_: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(SymmetryError, match=r"cannot write into .*: Permission denied"):
        writable_directory(tmp_path)
    with pytest.raises(SymmetryError, match=r"cannot write into .*: Permission denied"):
        writable_files(tmp_path / "w.npz")


def test_a_file_that_could_be_written_is_not_made(tmp_path: Path) -> None:
    writable_files(tmp_path / "w.npz", None)
    assert names(tmp_path) == []


def test_places_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    for path, problem in (
        (tmp_path / "missing" / "w.npz", "missing is not a directory"),
        (tmp_path / "directory", "it is not a file"),
        (Path(os.devnull), "it is not a file"),
        (tmp_path / ("n" * 300), "File name too long"),
    ):
        with pytest.raises(SymmetryError, match=f"cannot write .*: .*{problem}"):
            writable_files(path)
    assert Path(os.devnull).exists()
