from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmetry.errors import SymmetryError
from symmetry.report import files
from symmetry.report.figure import Figure
from symmetry.report.files import (
    Report,
    replacing,
    writable_directory,
    writable_file,
    write_all,
    write_bytes,
    write_text,
)


def names(directory: Path) -> list[str]:
    return sorted(path.name for path in directory.iterdir())


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    write_text(tmp_path / "a.md", "±1\n\nü\r\n")
    assert (tmp_path / "a.md").read_bytes() == "±1\n\nü\r\n".encode()
    assert names(tmp_path) == ["a.md"]


def test_files_get_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    write_bytes(tmp_path / "ours", b"")
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "ours")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, MemoryError, ZeroDivisionError])
def test_an_exception_leaves_the_old_file_and_nothing_beside_it(
    tmp_path: Path, raised: type[BaseException]
) -> None:
    path = tmp_path / "a.md"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as file:
            file.write(b"half of the ne")
            raise raised

    with pytest.raises(raised):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.md"]


def test_none_of_several_files_is_replaced_if_one_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    with pytest.raises(SymmetryError, match=r"cannot write .*no such place.c: No such file"):
        write_all({tmp_path / "a": b"new", tmp_path / "no such place" / "c": b"new"})
    assert (tmp_path / "a").read_text() == "old"
    assert names(tmp_path) == ["a"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "file")
    write_bytes(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there" / "file").read_bytes() == b"new"
    assert names(tmp_path / "there") == ["file"]


def test_a_directory_is_made_and_left_empty(tmp_path: Path) -> None:
    assert writable_directory(tmp_path / "a" / "b") == tmp_path / "a" / "b"
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
        writable_file(tmp_path / "w.npz")


def test_a_file_that_could_be_written_is_not_made(tmp_path: Path) -> None:
    assert writable_file(tmp_path / "w.npz") == tmp_path / "w.npz"
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
            writable_file(path)
    assert Path(os.devnull).exists()


def figure(value: float) -> Figure:
    return Figure("f.png", (1, 1), (np.array([value]),), lambda canvas: None)


def test_a_report_is_up_to_date_once_it_is_written(tmp_path: Path) -> None:
    report = Report({"a.md": "a\n", "a.json": "{}\n"}, (figure(1),))
    assert report.differences(tmp_path) == tuple(
        f"{tmp_path / name} is missing" for name in ("a.md", "a.json", "f.png")
    )
    report.write(tmp_path, beside={tmp_path / "w.npz": b"w"})
    assert names(tmp_path) == ["a.json", "a.md", "f.png", "w.npz"]
    assert report.differences(tmp_path) == ()
    (tmp_path / "a.json").write_text("{ }\n")
    assert report.differences(tmp_path) == (f"{tmp_path / 'a.json'} would change",)


def test_a_figure_is_drawn_again_only_if_it_shows_something_else(tmp_path: Path) -> None:
    path = tmp_path / "f.png"
    Report({}, (figure(1),)).write(tmp_path)
    first = path.stat()
    Report({}, (figure(1),)).write(tmp_path)
    assert path.stat().st_ino == first.st_ino  # not replaced by a new file
    changed = Report({}, (figure(2),))
    assert changed.differences(tmp_path) == (f"{path} would change",)
    changed.write(tmp_path)
    assert changed.differences(tmp_path) == ()


def test_a_damaged_figure_is_replaced(tmp_path: Path) -> None:
    report = Report({}, (figure(1),))
    report.write(tmp_path)
    path = tmp_path / "f.png"
    path.write_bytes(path.read_bytes()[:-1])
    assert report.differences(tmp_path) == (f"{path} would change",)
    report.write(tmp_path)
    assert report.differences(tmp_path) == ()


def test_a_drawing_that_fails_writes_nothing(tmp_path: Path) -> None:
    def fail(_: Any) -> None:
        raise ZeroDivisionError

    report = Report({"a.md": "a\n"}, (Figure("f.png", (1, 1), (), fail),))
    with pytest.raises(ZeroDivisionError):
        report.write(tmp_path)
    assert names(tmp_path) == []


def test_what_cannot_be_read_differs(tmp_path: Path) -> None:
    (tmp_path / "a.md").mkdir()
    assert files.Report({"a.md": ""}).differences(tmp_path) == (
        f"{tmp_path / 'a.md'} would change",
    )
