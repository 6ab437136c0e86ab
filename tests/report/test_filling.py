"""Numbers, names and command lines as reports show them, and how templates are filled in."""

from __future__ import annotations

from pathlib import Path

import jinja2
import pytest

from symmetry.report.filling import (
    code,
    command_line,
    data_name,
    environment,
    fill_paragraphs,
    percent,
    relative,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0, "0"), (1.7e-4, "1.7e-04"), (0.0999, "1.0e-01"), (0.1, "0.10"), (2, "2.00")],
)
def test_relative_differences(value: float | None, text: str) -> None:
    assert relative(value) == text


def test_accuracies() -> None:
    assert percent(25.209) == "25.21 %"


def test_names_are_safe_in_tables() -> None:
    assert code("a|b`c\nd") == "`a?b?c?d`"
    assert data_name("MNIST") == "MNIST"
    assert data_name("my data|set") == "`my data?set`"


def test_a_command_line_is_quoted_and_leaves_out_what_is_not_given() -> None:
    line = command_line(
        "check", "a b.py:step", exact=True, no_explain=False, seed=None, only=("x/*",)
    )
    assert line == "symmetry check 'a b.py:step' --exact --only 'x/*'"
    assert command_line("check", "numba", expect_units=0) == "symmetry check numba --expect-units 0"


def test_paragraphs_are_filled_and_the_rest_is_kept() -> None:
    long = "word " * 40
    table, fence = "| a |\n|---|\n| b |", "```sh\nsymmetry run\n\n\nsymmetry  check\n```"
    filled = fill_paragraphs(f"# Heading\n\n{long}\n\n\n\n{table}\n\n{fence}\n")
    heading, text, *rest = filled.removesuffix("\n").split("\n\n", 3)
    assert heading == "# Heading"
    assert max(map(len, text.splitlines())) <= 100
    assert text.split() == long.split()
    assert rest == [table, fence]
    assert fill_paragraphs(f"{'x' * 97} 5 %") == f"{'x' * 97}\n5 %\n"


def test_templates_of_a_folder_come_before_those_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_text("{{ 0.5 | relative }} {% include 'network.md.jinja' %}")
    text = environment(tmp_path).get_template("own.jinja").render()
    assert text.startswith("0.50 Why should hidden units stay identical?")


def test_a_value_that_is_missing_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "own.jinja").write_text("{{ nothing }}")
    with pytest.raises(jinja2.UndefinedError, match="nothing"):
        environment(tmp_path).get_template("own.jinja").render()
