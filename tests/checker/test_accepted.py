"""Files of accepted failures: how they are read, and what an update leaves in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.checker.accepted import (
    Accepted,
    obsolete,
    read_accepted,
    reasons_for,
    to_text,
    updated,
)

MASK = Accepted("a.py --n 1", "symmetry/clones", "the mask is “wanted”")
OTHER = Accepted("b", "symmetry/pure", "see #12")
LINE = '{"target": "a", "invariant": "b", "reason": "c"}'


def result(name: str, verdict: str, dtype: str = "float32") -> dict[str, str]:
    return {"name": name, "dtype": dtype, "verdict": verdict, "message": f"{name} {dtype}"}


def test_a_file_is_sorted_and_has_a_line_for_each(tmp_path: Path) -> None:
    file = tmp_path / "known.jsonl"
    file.write_text(to_text([OTHER, MASK]) + "\n", "utf-8")
    first, second, _ = file.read_text("utf-8").split("\n", 2)
    assert "“wanted”" in first
    assert second.startswith('{"target": "b", "invariant": "symmetry/pure"')
    assert read_accepted(file) == (MASK, OTHER)
    assert reasons_for([MASK, OTHER], "b") == {"symmetry/pure": "see #12"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "line 1: expected a line of JSON with target, invariant, reason"),
        ("[]", "line 1: expected a line of JSON"),
        ('{"target": "a", "invariant": "b"}', "line 1: expected a line of JSON"),
        ('\n{"target": "a", "invariant": "b", "reason": " "}', "line 2: reason must be a text"),
        ('{"target": "a", "invariant": 3, "reason": "c"}', "invariant must be a text, not 3"),
        (f"{LINE}\n{LINE}", "line 2: it repeats a b"),
    ],
)
def test_a_line_that_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "known.jsonl"
    file.write_text(text)
    with pytest.raises(SymmetryError, match=message):
        read_accepted(file)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SymmetryError, match=r"No such file .*\(--update-baseline writes it\)"):
        read_accepted(tmp_path / "known.jsonl")


def test_an_update_adds_removes_and_keeps_reasons(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.py").touch()
    names = ("known", "mended", "not-run", "untested", "limit")
    before = [Accepted("a.py", name, f"why {name}") for name in names]
    gone = Accepted("old.py:train", "known", "its file was deleted")
    results = [
        result("known", "expected failure"),
        result("known", "holds", "float64"),
        result("mended", "holds"),
        result("mended", "not applicable", "float64"),
        result("untested", "vacuous"),
        result("limit", "not finished"),
        result("new", "violated", "float64"),
        result("broken", "error"),
    ]
    assert obsolete([*before, gone, OTHER]) == (gone,)
    after = updated([*before, gone, OTHER], [{"trainer": "a.py", "results": results}])
    new = Accepted("a.py", "new", "not yet explained: new float64")
    kept = (each for each in before if each.invariant in ("known", "not-run", "limit"))
    assert {*after} == {*kept, new, OTHER}
