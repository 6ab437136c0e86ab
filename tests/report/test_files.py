from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symmetry.report.files import Figure, ReportFiles
from tests.base.test_files import names


def figure(value: float) -> Figure:
    return Figure("f.png", (1, 1), (np.array([value]),), lambda canvas, *_: None)


def test_a_report_is_up_to_date_once_it_is_written(tmp_path: Path) -> None:
    report = ReportFiles({"a.md": "a\n", "a.json": "{}\n"}, (figure(1),))
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
    ReportFiles({}, (figure(1),)).write(tmp_path)
    first = path.stat()
    ReportFiles({}, (figure(1),)).write(tmp_path)
    assert path.stat().st_ino == first.st_ino  # not replaced by a new file
    changed = ReportFiles({}, (figure(2),))
    assert changed.differences(tmp_path) == (f"{path} would change",)
    changed.write(tmp_path)
    assert changed.differences(tmp_path) == ()


def test_a_damaged_figure_is_replaced(tmp_path: Path) -> None:
    report = ReportFiles({}, (figure(1),))
    report.write(tmp_path)
    path = tmp_path / "f.png"
    path.write_bytes(path.read_bytes()[:-1])
    assert report.differences(tmp_path) == (f"{path} would change",)
    report.write(tmp_path)
    assert report.differences(tmp_path) == ()


def test_a_drawing_that_fails_writes_nothing(tmp_path: Path) -> None:
    def fail(_: Any) -> None:
        raise ZeroDivisionError

    report = ReportFiles({"a.md": "a\n"}, (Figure("f.png", (1, 1), (), fail),))
    with pytest.raises(ZeroDivisionError):
        report.write(tmp_path)
    assert names(tmp_path) == []


def test_what_cannot_be_read_differs(tmp_path: Path) -> None:
    (tmp_path / "a.md").mkdir()
    assert ReportFiles({"a.md": ""}).differences(tmp_path) == (f"{tmp_path / 'a.md'} would change",)
