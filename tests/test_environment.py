"""What measured reports say about their machine."""

from __future__ import annotations

from datetime import date

from tests.environment import environment, environment_table


def test_environment_names_date_processor_and_versions():
    before = date.today()
    facts = environment(BLAS="some")
    assert before <= date.fromisoformat(facts["date"]) <= date.today()
    assert facts["processor"]
    assert facts["numpy"].count(".") >= 1
    assert list(facts)[-1] == "BLAS"
    assert not [name for name, value in facts.items() if "/" in value]  # no paths


def test_table_has_a_line_for_each_fact():
    assert environment_table({"a": "1"}) == ["| | |", "|---|---|", "| a | 1 |"]
