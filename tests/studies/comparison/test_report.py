"""The report of sound pairs: it shows what was measured, and none is above its limit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from symmetry.training.response import THRESHOLDS
from tests.studies.comparison.__main__ import report
from tests.studies.comparison.sound import turned

REPORTS = Path(__file__).parents[3] / "reports"
MEASUREMENTS = json.loads((REPORTS / "comparisons.json").read_text("utf-8"))


def test_the_report_shows_what_was_measured():
    assert report(MEASUREMENTS).differences(REPORTS) == ()


def test_no_sound_pair_is_above_its_limit():
    ratios = [row["ratio"] for row in MEASUREMENTS["settings"] if row["ratio"] is not None]
    assert len(ratios) > 100
    assert max(ratios) < THRESHOLDS["float32"]
    attention = MEASUREMENTS["attention"]
    assert len(attention) >= 40
    for row in attention:
        assert row["same"], row
        assert all(row["ratios"][dtype] < limit for dtype, limit in THRESHOLDS.items())


def test_a_setting_is_turned_in_a_sound_training():
    pytest.importorskip("torch")
    row = next(turned())
    assert row["ratio"] < THRESHOLDS["float32"], row
