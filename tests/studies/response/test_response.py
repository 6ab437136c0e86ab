"""The study of responses: no ratio is left out, and the page is that of the committed rows."""

from __future__ import annotations

import pytest

from tests.studies.response.entries import entries
from tests.studies.response.hard import HARD
from tests.studies.response.report import MARKDOWN, ROWS, WEAKNESS, render
from tests.studies.rows import REPORTS, read_rows

SAMPLE = ("sound/mlp_adam", "hard/l1_adamw", "hard/gpt", "hard/experts_top_2", "hard/l1_soap")
FEWER = 0.9  # of the arrays that were judged: near ties lie elsewhere with another library


def row(target, *results, **more):
    made = {"target": target, "commit": "abc", "cpu_seconds": 1.0, "judged": {}}
    return {**made, "results": results, **more}


def test_accused_sound_trainings_and_weak_faults_are_in_the_table(tmp_path):
    clones, samples = "symmetry/clones", "symmetry/samples"
    rows = [
        row("sound/good", (clones, "float32", 2.0, False), (samples, "float32", 70.0, True)),
        row(
            "broken/weak",
            (clones, "float32", 90.0, True),
            (clones, "float64", 0.5, False),
            (samples, "float64", 1e9, True),  # no law that is meant for it
            meant=[clones],
        ),
        row("broken/missed", (clones, "float32", 3.0, False), meant=[clones]),
    ]
    text = render(rows, tmp_path).texts[MARKDOWN]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert "| sound zoo | float32 | 1 | 2 | 2 | 36 | 69 | 70 | 2 | 1 | 1 |" in lines
    assert "| broken zoo | float64 | 1 | 1 | 0.5 | 0.5 | 0.5 | 0.5 | 0 | 0 | 0 |" in lines
    assert f"| `good` | symmetry/samples | float32 | 70 | {WEAKNESS}: not looked into |" in lines
    assert "| `weak` | symmetry/clones | float32 | 90 | 3 |" in lines
    assert "a sound training that is not accused is 2," in " ".join(text.split())
    assert "Not caught: broken/missed." in text


def test_the_page_is_that_of_the_rows():
    rows = read_rows(REPORTS / ROWS)
    text = render(rows, REPORTS).texts[MARKDOWN]
    assert text == (REPORTS / MARKDOWN).read_text("utf-8")
    assert "not looked into" not in text
    assert {f"hard/{name}" for name in HARD} <= {each["target"] for each in rows}


@pytest.mark.parametrize("name", SAMPLE)
def test_as_many_arrays_are_judged_as_before(name):
    """An operation that moves though it is exact makes a response too large: nothing is judged."""
    before = {each["target"]: each["judged"] for each in read_rows(REPORTS / ROWS)}[name]
    now = entries()[name]()["judged"]
    for dtype, number in before.items():
        assert now[dtype] >= FEWER * number
