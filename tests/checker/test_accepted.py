"""Files of accepted failures: how they are read, and what an update leaves in them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.checker.accepted import (
    Accepted,
    found_of,
    obsolete,
    others,
    read_accepted,
    reasons_for,
    to_text,
    updated,
)
from tests.report import checks

MASK = Accepted("a.py --n 1", "symmetry/clones", "x[:-1] *= 2", "the mask is “wanted”")
OTHER = Accepted("b", "symmetry/pure", "", "see #12")  # as an earlier version wrote it
LINE = '{"target": "a", "invariant": "b", "reason": "c"}'


def result(
    name: str, verdict: str, dtype: str = "float32", found: str | None = None
) -> dict[str, str | None]:
    message = f"{name} {dtype}"
    return {"name": name, "dtype": dtype, "verdict": verdict, "message": message, "found": found}


def test_a_file_is_sorted_and_has_a_line_for_each(tmp_path: Path) -> None:
    file = tmp_path / "known.jsonl"
    file.write_text(to_text([OTHER, MASK]) + "\n", "utf-8")
    first, second, _ = file.read_text("utf-8").split("\n", 2)
    assert "“wanted”" in first
    assert second.startswith('{"target": "b", "invariant": "symmetry/pure"')
    assert read_accepted(file) == (MASK, OTHER)
    assert reasons_for([MASK, OTHER], "b", {}) == {"symmetry/pure": {"": "see #12"}}
    by_option = reasons_for([MASK], MASK.target, {"symmetry/clones": "any", "loop/modes": "any"})
    assert by_option == {"symmetry/clones": {"": "any"}, "loop/modes": {"": "any"}}


def test_an_entry_accepts_nothing_after_its_last_day(tmp_path: Path) -> None:
    today = date.today()
    last, over = (replace(OTHER, until=str(today - timedelta(days))) for days in (0, 1))
    assert reasons_for([last], "b", {}) == {"symmetry/pure": {"": "see #12"}}
    assert reasons_for([over], "b", {}) == {}
    file = tmp_path / "known.jsonl"
    file.write_text(to_text([last]), "utf-8")
    assert read_accepted(file) == (last,)
    record = {"trainer": "b", "results": [result("symmetry/pure", "violated", found="x += 1")]}
    (kept,) = updated([last], [record])  # it is narrowed
    assert (kept.found, kept.reason, kept.until) == ("x += 1", "see #12", last.until)
    assert updated([kept], [record]) == (kept,)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x", "line 1: expected a line of JSON with target, invariant, reason"),
        ("[]", "line 1: expected a line of JSON"),
        ('{"target": "a", "invariant": "b"}', "line 1: expected a line of JSON"),
        ('\n{"target": "a", "invariant": "b", "reason": " "}', "line 2: reason must be a text"),
        ('{"target": "a", "invariant": 3, "reason": "c"}', "invariant must be a text, not 3"),
        (f"{LINE}\n{LINE}", "line 2: it repeats a b"),
        (f'{LINE[:-1]}, "until": "soon"}}', "until must be a date such as 2027-01-31, not 'soon'"),
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
    before = [Accepted("a.py", name, "x *= 2", f"why {name}") for name in names]
    gone = Accepted("old.py:train", "known", "", "its file was deleted")
    results = [
        result("known", "expected failure", found="x *= 2"),
        result("known", "holds", "float64"),
        result("mended", "holds"),
        result("mended", "not applicable", "float64"),
        result("untested", "vacuous"),
        result("limit", "not finished"),
        result("new", "violated", "float64", "y *= 2"),
        result("broken", "error"),
    ]
    assert obsolete([*before, gone, OTHER]) == (gone,)
    after = updated([*before, gone, OTHER], [{"trainer": "a.py", "results": results}])
    new = Accepted("a.py", "new", "y *= 2", "not yet explained: new float64")
    kept = (each for each in before if each.invariant in ("known", "not-run", "limit"))
    assert {*after} == {*kept, new, OTHER}


@pytest.mark.parametrize(
    ("verdict", "found", "expected"),
    [
        ("violated", "y *= 2", [Accepted("b", "law", "y *= 2", "not yet explained: law float32")]),
        ("expected failure", "x *= 2", [Accepted("b", "law", "x *= 2", "see #1")]),
        # By rounding alone: nothing tells it from others.
        ("expected failure", None, [Accepted("b", "law", "x *= 2", "see #1")]),
    ],
)
def test_another_failure_takes_the_place_of_one(
    verdict: str, found: str | None, expected: list[Accepted]
) -> None:
    record = {"trainer": "b", "results": [result("law", verdict, found=found)]}
    known = Accepted("b", "law", "x *= 2", "see #1")
    assert list(updated([known], [record])) == expected
    assert others([known], [record]) == ((known,) if verdict == "violated" else ())


def test_an_entry_for_any_failure_is_narrowed_and_keeps_its_reason() -> None:
    record = {"trainer": "b", "results": [result(OTHER.invariant, "expected failure", found="x")]}
    assert updated([OTHER], [record]) == (replace(OTHER, found="x"),)


def test_what_an_option_expects_is_not_written() -> None:
    record = {"trainer": "b", "results": [result("law", "expected failure", found="x")]}
    assert updated([], [record]) == ()


def test_a_violation_is_told_by_its_line_or_by_words_without_numbers(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text("import torch\n\nx  *= 2\n")
    message = "l1.weight[3, 12] is 1,024 ulps off, by 1.5e+03"
    found = replace(checks.UNITS[0], message=message, group="layer 0")
    assert found_of(found, str(file), 3) == "x *= 2"
    assert found_of(found, None, None) == "layer #"
    alone = replace(found, group=None)
    assert found_of(alone, str(file), 9) == "l#.weight[#, #] is # ulps off, by #"
