from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from symmetry.base.files import keep
from symmetry.checker.options import Options
from symmetry.checker.verdict import Checked
from symmetry.cli.known import Known, recall, remember
from tests.cli.inside import symmetry
from tests.report.checks import HOLDS, LOGITS, PERMUTED, checked

FOUND = checked(HOLDS, LOGITS)
# Its loss gets probabilities: units that are equal stay so.
SOFTMAX = """\
import torch
from torch import nn


def training():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 5), nn.Softmax(1))
    x, y = torch.randn(9, 3), torch.randint(5, (9,))
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(i):
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return model, step
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("import data\n")
    (tmp_path / "data.py").write_text("rows = 3\n")
    return tmp_path / "cache" / "symmetry"


@pytest.mark.parametrize(
    ("found", "options", "known"),
    [
        (FOUND, Options(), Known(("loss/inputs",), exchanges=False, whole=True)),
        (FOUND, Options(only=("loss/*",)), Known(("loss/inputs",), False, whole=False)),
        (replace(FOUND, cut="within 9 s"), Options(), Known(("loss/inputs",), False, whole=False)),
        (replace(FOUND, verdicts=(PERMUTED,)), Options(), Known((), exchanges=True, whole=True)),
    ],
)
def test_an_explanation_knows_the_violations(
    found: Checked, options: Options, known: Known
) -> None:
    assert recall("train.py", 0) is None
    remember(found, options)
    assert recall("train.py", 0) == known


def test_nothing_is_known_of_other_files_arguments_or_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember(FOUND, Options())
    assert recall("train.py --epochs 1", 0) is None
    assert recall("train.py", 1) is None
    (tmp_path / "data.py").write_text("rows = 4\n")
    assert recall("train.py", 0) is None
    (tmp_path / "data.py").write_text("rows = 3\n")
    assert recall("train.py", 0) is not None
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert recall("train.py", 0) is None


@pytest.mark.parametrize("damage", ["", "[1]", '{"laws": 3}', "\x00", '{"key": "%s", "laws": [1]}'])
def test_a_damaged_file_says_nothing(cache: Path, damage: str) -> None:
    remember(FOUND, Options())
    (file,) = cache.iterdir()
    key = json.loads(file.read_text())["key"]
    file.write_text(damage % key if "%s" in damage else damage)
    assert recall("train.py", 0) is None


def test_only_the_newest_files_are_kept(tmp_path: Path) -> None:
    for number in range(5):
        keep(tmp_path / "kept" / f"{number}.json", "{}", 3)
    assert len([*(tmp_path / "kept").iterdir()]) == 3


def test_a_cache_that_cannot_be_written_is_done_without(cache: Path) -> None:
    cache.parent.write_text("a file")
    remember(FOUND, Options())
    assert recall("train.py", 0) is None


@pytest.mark.slow
def test_an_explanation_begins_with_a_violated_law(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SOFTMAX)
    remember(replace(FOUND, target="train.py:training"), Options())
    finished = symmetry("explain", "train.py:training", cwd=tmp_path)
    known, first, *_ = finished.out.splitlines()
    assert finished.status == 1
    assert known.endswith("the last check found loss/inputs violated: only that is measured again")
    assert first.startswith("train.py:13: cross_entropy is given probabilities")


@pytest.mark.slow
def test_a_law_that_holds_by_now_is_not_explained(tmp_path: Path) -> None:
    # The code is the same, and the file says that another law is violated.
    (tmp_path / "train.py").write_text(SOFTMAX)
    gone = replace(LOGITS, about=HOLDS.about)
    remember(replace(FOUND, target="train.py:training", verdicts=(gone,)), Options())
    finished = symmetry("explain", "train.py:training", cwd=tmp_path)
    known, first, *_ = finished.out.splitlines()
    assert finished.status == 1
    assert "symmetry/repeatable" in known
    assert first.startswith("train.py:13: cross_entropy is given probabilities")
