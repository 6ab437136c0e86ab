"""The study of frameworks: a tiny trial, a split that is seen, and the page of the rows."""

from __future__ import annotations

import numpy as np

from tests.studies.frameworks.__main__ import MARKDOWN, ROWS, measured, render
from tests.studies.frameworks.contestants import Iteration
from tests.studies.frameworks.one import watched
from tests.studies.rows import REPORTS, read_rows


def test_a_trial_runs_in_a_process_with_its_setting():
    trial = {"trainer": "numba", "setting": "threads=1", "hidden": 5, "iterations": 1}
    row = measured({**trial, "dtype": "float32"})
    assert row["split"] is None
    assert row["groups"] == "all 5 identical"
    assert row["loss"] > 0
    assert row["library"].startswith("numba ")


def test_a_split_is_seen_in_the_iteration_where_it_comes():
    def training():
        w1, w2 = np.ones((3, 4), "float32"), np.ones((5, 2), "float32")
        yield Iteration(1.0, 0, w1, w2)
        w1[1, 2] = np.nextafter(w1[1, 2], np.float32(2))
        yield Iteration(1.0, 0, w1, w2)

    found = watched(training(), 4)
    assert found["split"] == {"iteration": 2, "ulps": 1}
    assert found["groups"] == "unit 2 alone"
    assert 0 < found["spread"] < 1e-6


def test_the_page_is_that_of_the_rows():
    assert (REPORTS / MARKDOWN).read_text("utf-8") == render(read_rows(REPORTS / ROWS))
