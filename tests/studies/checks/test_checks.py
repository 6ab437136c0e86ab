"""The study of costs: those of a check of the smallest script, and the page of the rows."""

from __future__ import annotations

import pytest

from tests.studies.checks.__main__ import FOLDER, MARKDOWN, ROWS, SCRIPTS, measured, render
from tests.studies.rows import REPORTS, read_rows


@pytest.mark.filterwarnings("ignore:os.fork")  # of JAX, which other tests import
def test_a_check_runs_a_script_dozens_of_times():
    row = measured("readme")
    assert row["check"]["runs"] > 24
    assert row["check"]["judged"] > 10
    assert row["check"]["cpu_seconds"] > row["alone"]["cpu_seconds"] > 0
    assert row["check"]["memory"] > 50_000_000


def test_the_page_is_that_of_the_rows_of_all_scripts():
    rows = read_rows(REPORTS / ROWS)
    assert [row["target"] for row in rows] == [*SCRIPTS]
    assert {file.stem for file in FOLDER.glob("*.py")} == {*SCRIPTS}
    assert (REPORTS / MARKDOWN).read_text("utf-8") == render(rows)
