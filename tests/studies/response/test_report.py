"""The report on responses: it leaves out no ratio, and is that of the committed rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from symmetry.cli.campaign.several import read_lines
from tests.studies.response.entries import entries
from tests.studies.response.hard import HARD
from tests.studies.response.report import LINES, MARKDOWN, WEAKNESS, render

REPORTS = Path(__file__).parents[3] / "reports"
SAMPLE = ("sound/mlp_adam", "hard/l1_adamw", "hard/gpt", "hard/experts_top_2", "hard/l1_soap")
FEWER = 0.9  # of the arrays that were judged: near ties lie elsewhere with another library


def line(kind, *results, **more):
    results = [
        {"law": law, "dtype": dtype, "kind": "holds", "ratio": ratio, "why": "", "accuses": accuses}
        for law, dtype, ratio, accuses in results
    ]
    return {
        "target": kind,
        "commit": "abc",
        "cpu_seconds": 1.0,
        "results": results,
        "judged": {},
        **more,
    }


def rendered(tmp_path, *lines):
    return render({each["target"]: each for each in lines}, tmp_path).texts[MARKDOWN]


def test_accused_sound_trainings_and_weak_faults_are_in_the_table(tmp_path):
    clones, samples = "symmetry/clones", "symmetry/samples"
    text = rendered(
        tmp_path,
        line("sound/good", (clones, "float32", 2.0, False), (samples, "float32", 70.0, True)),
        line(
            "broken/weak",
            (clones, "float32", 90.0, True),
            (clones, "float64", 0.5, False),
            (samples, "float64", 1e9, True),  # no law that is meant for it
            meant=[clones],
        ),
    )
    rows = [row for row in text.splitlines() if row.startswith("|")]
    assert "| sound zoo | float32 | 1 | 2 | 2 | 36 | 69 | 70 | 2 | 1 | 1 |" in rows
    assert "| broken zoo | float64 | 1 | 1 | 0.5 | 0.5 | 0.5 | 0.5 | 0 | 0 | 0 |" in rows
    assert f"| `good` | symmetry/samples | float32 | 70 | {WEAKNESS}: not looked into |" in rows
    assert "| `weak` | symmetry/clones | float32 | 90 | 3 |" in rows
    assert "a sound training that is not accused is 2," in " ".join(text.split())


def test_a_fault_that_is_not_caught_is_named(tmp_path):
    laws = ["symmetry/clones", "symmetry/permutation"]
    results = [(laws[0], "float32", 90.0, True), (laws[1], "float32", 3.0, False)]
    assert "Not caught: broken/weak." in rendered(
        tmp_path, line("broken/weak", *results, meant=laws)
    )


def test_the_committed_report_is_of_the_committed_rows():
    lines = read_lines(REPORTS / LINES)
    text = render(lines, REPORTS).texts[MARKDOWN]
    assert text == (REPORTS / MARKDOWN).read_text("utf-8")
    assert "not looked into" not in text
    assert {f"hard/{name}" for name in HARD} <= lines.keys()
    assert len(HARD) >= 84


@pytest.mark.parametrize("name", SAMPLE)
def test_as_many_arrays_are_judged_as_before(name):
    """An operation that moves though it is exact makes a response too large: nothing is judged."""
    before, now = read_lines(REPORTS / LINES)[name]["judged"], entries()[name]()["judged"]
    for dtype, number in before.items():
        assert now[dtype] >= FEWER * number
