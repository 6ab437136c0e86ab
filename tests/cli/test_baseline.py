"""A baseline: known failures do not gate, new ones and mended ones do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from symmetry import check
from tests.cli.inside import symmetry
from tests.cli.process import assert_one_line
from tests.cli.process import symmetry as process

STEPS = """
from symmetry.network.core import step as sound

def broken(x, y, w1, w2, lr):
    w1, w2 = sound(x, y, w1, w2, lr)
    w2[-1] *= 1.5
    return w1, w2
"""
W2_ROWS = ("--only", "symmetry/w2-rows", "--dtype", "float32", "--examples", 5)
GONE = '{"target": "old.py", "invariant": "symmetry/pure", "reason": "see #7"}'
KNOWN = ("--baseline", "known.jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "steps.py").write_text(STEPS)
    return tmp_path


def lines(folder: Path) -> list[dict[str, str]]:
    return [json.loads(text) for text in (folder / "known.jsonl").read_text().splitlines()]


def test_known_failures_pass_until_they_are_mended(folder: Path) -> None:
    first = symmetry("check", "steps.py:broken", *W2_ROWS, *KNOWN, "--update-baseline", cwd=folder)
    assert (first.status, "1 problem" in first.out) == (0, True)  # shown, and accepted
    assert "wrote known.jsonl: 1 failure added, 0 removed" in first.err
    (line,) = lines(folder)
    assert (line["target"], line["invariant"]) == ("steps.py:broken", "symmetry/w2-rows")
    assert line["found"] == "w2[-1] *= 1.5"
    (folder / "known.jsonl").write_text(json.dumps({**line, "reason": "see #12"}))
    (folder / "steps.py").write_text(f"# A line moves the others.{STEPS}")
    again = symmetry("check", "steps.py:broken", *W2_ROWS, *KNOWN, cwd=folder)
    assert (again.status, "1 fails as expected" in again.out) == (0, True)
    (folder / "steps.py").write_text(STEPS.replace("*= 1.5", "*= 1"))
    mended = symmetry("check", "steps.py:broken", *W2_ROWS, *KNOWN, cwd=folder)
    assert mended.status == 1
    assert "symmetry/w2-rows was expected to fail (see #12), but it does not" in mended.out
    symmetry("check", "steps.py:broken", *W2_ROWS, *KNOWN, "--update-baseline", cwd=folder)
    assert lines(folder) == []


def test_another_failure_of_the_invariant_is_no_known_one(folder: Path) -> None:
    arguments = ("check", "steps.py:broken", *W2_ROWS, *KNOWN)
    symmetry(*arguments, "--update-baseline", cwd=folder)
    (folder / "steps.py").write_text(STEPS.replace("w2[-1] *= 1.5", "w2[1] *= 3"))
    other = symmetry(*arguments, cwd=folder)
    assert (other.status, "1 problem" in other.out) == (1, True)
    assert "known.jsonl accepts another failure of symmetry/w2-rows: w2[-1] *= 1.5" in other.err
    updated = symmetry(*arguments, "--update-baseline", cwd=folder)
    assert "wrote known.jsonl: 1 failure added, 1 removed" in updated.err
    assert [line["found"] for line in lines(folder)] == ["w2[1] *= 3"]


def test_an_entry_of_an_earlier_version_accepts_any_until_it_is_narrowed(folder: Path) -> None:
    entry = {"target": "steps.py:broken", "invariant": "symmetry/w2-rows", "reason": "see #12"}
    (folder / "known.jsonl").write_text(json.dumps(entry))
    arguments = ("check", "steps.py:broken", *W2_ROWS, *KNOWN)
    assert symmetry(*arguments, cwd=folder).status == 0
    done = symmetry(*arguments, "--update-baseline", cwd=folder)
    assert "wrote known.jsonl: 0 failures added, 0 removed, 1 narrowed" in done.err
    assert lines(folder) == [{**entry, "found": "w2[-1] *= 1.5"}]


def test_an_update_accepts_no_target_that_does_not_work(folder: Path) -> None:
    (folder / "steps.py").write_text("def raises(x, y, w1, w2, lr): raise RuntimeError")
    arguments = ("check", "steps.py:raises", *W2_ROWS, *KNOWN, "--update-baseline")
    assert symmetry(*arguments, cwd=folder).status == 1
    assert lines(folder) == []


@pytest.mark.slow
def test_several_targets_share_a_baseline(folder: Path) -> None:
    (folder / "known.jsonl").write_text(GONE)
    arguments = ("check", "steps.py:*", "numpy", *W2_ROWS, *KNOWN, "--examples", 5)
    done = process(*arguments, "--update-baseline", cwd=folder)
    assert (done.status, "2 targets: 1 sound, 1 not" in done.out) == (0, True)
    assert "wrote known.jsonl: 1 failure added, 1 removed" in done.err
    assert [line["target"] for line in lines(folder)] == ["steps.py:broken"]


def test_an_entry_of_a_file_that_is_not_there_is_reported(folder: Path) -> None:
    (folder / "known.jsonl").write_text(GONE)
    done = symmetry("check", "numpy", *W2_ROWS, *KNOWN, cwd=folder)
    assert (done.status, "known.jsonl: old.py is not there any more" in done.err) == (0, True)


def test_python_takes_it_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    known = '{"target": "steps.py:broken", "invariant": "symmetry/w2-rows", "reason": "see #12"}'
    (folder / "known.jsonl").write_text(known)
    options = {"only": "symmetry/w2-rows", "examples": 5, "dtype": "float32"}
    assert not check("steps.py:broken", **options)
    assert check("steps.py:broken", baseline="known.jsonl", **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--update-baseline"], "--update-baseline needs --baseline FILE"),
        ([*KNOWN], "the baseline known.jsonl cannot be read"),
        (["--baseline", "no/known.jsonl", "--update-baseline"], "no is not a directory"),
        (["--baseline", "steps.py"], "steps.py, line 2: expected a line of JSON"),
    ],
)
def test_wrong_use_is_one_line(options: list[str], message: str, folder: Path) -> None:
    assert_one_line(symmetry("check", "steps.py:broken", *options, cwd=folder), message)


def test_an_entry_without_such_an_invariant(folder: Path) -> None:
    entry = '{"target": "numpy", "invariant": "symmetry/clons", "reason": "see #12"}'
    (folder / "known.jsonl").write_text(entry)
    finished = symmetry("check", "numpy", *KNOWN, cwd=folder)
    assert_one_line(finished, "cannot expect a failure of 'symmetry/clons'")
