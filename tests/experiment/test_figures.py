from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from symmetry.report.files import Figure, kept_digest
from tests.cli.process import environment
from tests.conftest import slow


def nothing(*_: Any) -> None:
    pass


def figure(*shows: Any, **others: Any) -> Figure:
    return Figure("f.png", (1.0, 0.5), shows, others.pop("draw", nothing), **others)


def test_the_digest_is_the_same_on_every_machine() -> None:
    shown = figure(np.array([[0.1, 2]], np.float32), ["zero start"], 11.35, np.arange(3))
    assert shown.digest == "e901278866110162d6db59363f003b4c221faeade81cc00c8af518592a6720b9"


def test_the_digest_depends_on_values_not_on_how_they_are_stored() -> None:
    values = np.array([[1, 2], [3, 4]], np.float32)
    same = [values.astype(np.float64), np.asfortranarray(values), values.astype(">f4")]
    assert {figure(other).digest for other in same} == {figure(values).digest}
    assert figure(np.arange(3, dtype=np.int32)).digest == figure(np.arange(3)).digest


def test_the_digest_depends_on_everything_shown() -> None:
    value = np.array([1.0, 2.0])
    others = [
        figure(np.array([1.0, np.nextafter(2.0, 3.0)])),
        figure(np.array([[1.0, 2.0]])),
        figure(np.array([1.0]), np.array([2.0])),
        figure(value, "a"),
        figure(value, "b"),
        figure(value, ["a", "b"]),
        figure(value, None),
        figure(value, edition=2),
        Figure("g.png", (1.0, 0.5), (value,), nothing),
        Figure("f.png", (1.0, 0.6), (value,), nothing),
    ]
    assert len({other.digest for other in others} | {figure(value).digest}) == 1 + len(others)


def test_a_picture_carries_its_digest() -> None:
    shown = figure(np.arange(3))
    png = shown.png()
    assert kept_digest(png) == shown.digest
    assert shown.is_current(png)
    assert not figure(np.arange(4)).is_current(png)


def test_any_damage_is_noticed() -> None:
    shown = figure(np.arange(3))
    png = shown.png()
    for place in range(0, len(png), 7):
        damaged = bytearray(png)
        damaged[place] ^= 1
        assert not shown.is_current(bytes(damaged))
    for length in range(0, len(png), 11):
        assert not shown.is_current(png[:length])
    assert not shown.is_current(png + b"\0")


def test_other_files_are_no_pictures_of_ours() -> None:
    for other in (b"", b"\x89PNG\r\n\x1a\n", b"GIF89a", b"\0" * 1000):
        assert kept_digest(other) is None


def test_settings_of_the_reader_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    import matplotlib

    def draw(canvas: Any) -> None:
        canvas.subplots().plot([0, 1])

    png = figure(draw=draw).png()
    monkeypatch.setitem(matplotlib.rcParams, "lines.linewidth", 20.0)
    monkeypatch.setitem(matplotlib.rcParams, "figure.facecolor", "black")
    assert figure(draw=draw).png() == png
    assert matplotlib.rcParams["figure.facecolor"] == "black"  # and the other way round


@pytest.mark.parametrize("backend", ["nowhere", slow("module://nowhere.backend"), slow("pdf")])
def test_a_backend_that_the_environment_names_is_neither_used_nor_lost(backend: str) -> None:
    program = (
        "import os, numpy\n"
        "from symmetry.report.files import Figure\n"
        "figure = Figure('f.png', (1, 1), (), lambda canvas: canvas.subplots())\n"
        "assert figure.is_current(figure.png())\n"
        "import matplotlib\n"
        "print(os.environ['MPLBACKEND'], dict.__getitem__(matplotlib.rcParams, 'backend'))\n"
    )
    variables = environment(MPLBACKEND=backend)
    command = [sys.executable, "-c", program]
    named, set_ = subprocess.check_output(command, env=variables, text=True).strip().split(" ", 1)
    assert named == backend
    assert backend == "nowhere" or set_ == backend
