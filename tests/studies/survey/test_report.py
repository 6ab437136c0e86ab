"""The report of the survey begins with what was found, and leaves nobody out."""

from __future__ import annotations

from typing import Any

import pytest

from tests.studies.survey import kept, report
from tests.studies.survey.reasons import BUG, Reason


def line(name: str, verdict: str, ratio: float | None = None, **more: Any) -> dict[str, Any]:
    """Return the line of a model, as a check writes it."""
    failed = verdict in ("violated", "error")
    result = {"name": "training/padding", "dtype": "float32", "verdict": verdict, "message": "why"}
    table = {
        "exit_code": int(failed),
        "in_short": f"{verdict} here",
        "notes": [],
        "parameters": 1234,
        "largest": "-",
    }
    table |= {"float32": "1", "float64": "-", "units": "3 groups; axes without: 2 input"}
    result |= {"ratio": ratio, "threshold": 30}
    target = f"tests/studies/survey/targets.py:trainings:{name}"
    return {"trainer": target, "results": [result], "table": table, **more}


@pytest.fixture
def text(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(report, "version", lambda name: "1.2")
    recipes = {"transformers": {"good": {}, "bad": {}, "none": "ValueError: no"}}
    recipes["timm"] = {"odd": [], "new": []}
    monkeypatch.setattr(kept, "recipes", recipes.__getitem__)
    monkeypatch.setattr(kept, "available", {"transformers": 9, "timm": 2}.__getitem__)
    monkeypatch.setitem(report.REASONS, "bad", Reason(BUG, "its mask is ignored"))
    good = line("good", "holds", 15.0, code="abc")
    lines = [good, line("bad", "violated"), line("odd", "error")]
    written = report.render(lines)
    assert set(written.texts) == {report.MARKDOWN, report.PAGE}
    assert written.texts[report.PAGE].count("<tr><td>") == 3
    return written.texts[report.MARKDOWN]


def test_the_head_says_how_many_there_are_and_what_was_found(text: str) -> None:
    assert "# 3 architectures, each trained and checked" in text
    words = " ".join(text.split())
    assert "5 were tried, and 4 could be built; 3 of these have been checked so far" in words
    assert "transformers has 9: 3 were tried, and 2 built. timm has 2: 2 were tried" in words
    assert "no violation among the 1 to 1 checks that applied" in words
    late = words.partition("were not run for all of these rows: ")[2].partition(".")[0]
    assert "`symmetry/repeatable`" in late
    assert "`training/padding`" not in late
    assert "1 of the [bugs that were found](findings/README.md) are violations" in words
    assert "Made at 2 commits (number of rows): abc (1), unknown (2)." in words
    assert "| tested | 2 |" in text
    assert "| not tested: the check ended with an error, or too late | 1 |" in text
    assert "| not checked yet | 1 |\n| not built | 1 |" in text
    assert "| violated | 1 |\n| error | 1 |\n| sound | 1 |\n" in text


def test_what_is_not_sound_has_a_reason_or_says_that_it_has_none(text: str) -> None:
    assert f"| `bad` | training/padding | {BUG} | its mask is ignored |" in text
    assert "| `odd` | error here | not looked into |  |" in text


def test_every_model_has_a_row_with_its_largest_ratio(text: str) -> None:
    _, _, table = text.partition("## All models")
    row = "| `good` | tested | 1,234 | 3 groups; axes without: 2 input |  | 1 | - | 5.0e-01 |"
    assert f"{row} holds here |" in table
    assert table.index("`bad`") < table.index("`odd`") < table.index("`good`")
    assert "| ValueError (1) | `none` |" in text


@pytest.mark.parametrize(
    ("units", "reached"),
    [
        ("3 groups; axes without: 2 input", "tested"),
        ("3 groups; axes without: 3 no gradient", "tested"),
        ("3 groups; axes without: 2 input, 4 no gradient", "half tested"),
    ],
)
def test_a_model_is_half_tested_if_most_of_it_has_no_gradient(units: str, reached: str) -> None:
    model = line("one", "holds")
    model["table"]["units"] = units
    assert report.depth(model) == reached
    assert report.depth(model | {"error": "it died"}) == "not tested"


def test_causes_are_counted() -> None:
    model = line("one", "holds", causes={"a": "cut", "b": "never fed", "c": "cut"})
    assert report.without_gradient(model) == "2 cut, 1 never fed"


def test_recipes_of_another_version_do_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(kept, "FILE", tmp_path / "recipes.json")
    monkeypatch.setattr(kept, "version", lambda library: "1.0")
    kept.recipes.cache_clear()

    def find(name: str) -> list[int]:
        if name == "none":
            raise kept.NotBuiltError("ValueError: no")
        return [1]

    kept.try_all("timm", ["one", "none"], find, available=7)
    kept.recipes.cache_clear()
    assert kept.recipes("timm") == {"one": [1], "none": "ValueError: no"}
    assert kept.available("timm") == 7
    assert [kept.is_built("timm", name) for name in ("one", "none", "new")] == [True, False, True]
    kept.recipes.cache_clear()
    monkeypatch.setattr(kept, "version", lambda library: "2.0")
    assert kept.recipes("timm") == {}
    kept.recipes.cache_clear()
