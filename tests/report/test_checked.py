"""The report of a check: its table, its prose, what went wrong."""

from __future__ import annotations

from symmetry.checker.verdict import Checked
from symmetry.report.checked import MARKDOWN, render_checked
from tests.report.verdicts import (
    ERROR,
    HOLDS,
    NOT_TAKEN,
    VACUOUS,
    VIOLATED,
    WITHIN,
)


def test_the_report_of_a_check():
    verdicts = (VIOLATED, HOLDS, WITHIN, VACUOUS, NOT_TAKEN, ERROR)
    heading = ("my.train:step: 13 invariants on 100 cases", "one thread")
    checked = Checked("my.train:step", 0, 100, verdicts, heading)
    text = render_checked(checked, "symmetry check my.train:step --output reports").texts[MARKDOWN]
    assert text.startswith("<!-- Written by `symmetry check my.train:step --output reports`, which")
    assert "# What was checked of my.train:step" in text
    assert "\nmy.train:step: 13 invariants on 100 cases. In short: **" in text
    assert "| largest deviation | why |\n" in text
    for row in (
        "| `symmetry/w2-rows` | float32 | violated | 17 | 15 | 2 ulps |",
        "| `symmetry/pure` | float64 | holds | 100 | 97 | no bit differs |",
        "| `network/gradient` | float64 | holds | 100 | 97 | 60.8 % of the limit |",
        "| `symmetry/pure` | float64 | vacuous | 100 | 0 | - |",
        "| `symmetry/pure` | float64 | not applicable | 0 | 0 | - |",
        "| `symmetry/pure` | float32 | error | 1 | 0 | - |",
        "| `symmetry/pure` in float64, `network/gradient` in float64 | 1 to 3000 | 2 |",
    ):
        assert f"\n{row}" in text
    assert "**symmetry/pure**: x and y are unchanged" in text
    assert "symmetry/clones" not in text
    assert text.count("```text") == 2
    assert "  reproduce  symmetry check my.train:step --exact --only symmetry/w2-rows --ca" in text
    prose = (t for t in text.splitlines() if not t.startswith(("|", " ", "<")))
    assert all(len(prose_line) <= 110 for prose_line in prose)


def test_the_report_of_a_replay_and_of_a_check_without_failures():
    text = render_checked(Checked("numba", None, 2, (HOLDS,)), "symmetry check").texts[MARKDOWN]
    assert "\n\n**sound (1 holds)**.\n" in text
    assert "| largest deviation |\n" in text
    assert "What went wrong" not in text
