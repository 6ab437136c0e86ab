"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from symmetry.base.errors import SymmetryError
from symmetry.cli.options import (
    given_path,
    is_usual,
    learning_rate,
    output_directory,
    read_case,
    read_cases,
)
from symmetry.experiment.settings import Settings
from symmetry.law.case import Case

CASE = Case(4, 3, 2, 2, 0.5, 1, "float32", "unit", "zero", 0)


@pytest.mark.parametrize("text", ["0", "-1", "inf", "nan"])
def test_a_rate_that_is_none(text: str) -> None:
    with pytest.raises(click.BadParameter, match="not finite and positive"):
        learning_rate(text)


def test_a_rate() -> None:
    assert learning_rate("1e-3") == 1e-3


def test_an_empty_path_is_not_the_working_directory() -> None:
    assert given_path("out") == Path("out")
    with pytest.raises(click.BadParameter, match="it is empty"):
        given_path("")


def test_the_report_of_anything_unusual_needs_a_place() -> None:
    assert output_directory(None, usual=True, what="experiment") == Path("reports")
    assert output_directory(Path("o"), usual=False, what="experiment") == Path("o")
    with pytest.raises(click.UsageError, match="say with --output DIR"):
        output_directory(None, usual=False, what="experiment")


def test_what_is_usual() -> None:
    assert is_usual(Settings(), None, 10)
    assert not is_usual(Settings(hidden=201), None, 10)
    assert not is_usual(Settings(), Path("data"), 10)
    assert not is_usual(Settings(), None, 3)


def test_cases_from_the_argument_and_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "cases"
    file.write_text(f"{CASE.to_json()}\n\n{CASE.to_json()}\n")
    assert read_cases(f"  {CASE.to_json()}") == (CASE,)
    assert read_cases(str(file)) == (CASE, CASE)
    assert read_case(CASE.to_json(), "explained") == CASE
    with pytest.raises(SymmetryError, match="one case is explained at a time, not 2"):
        read_case(str(file), "explained")


def test_cases_that_cannot_be_read(tmp_path: Path) -> None:
    file = tmp_path / "cases"
    file.write_text(f"{CASE.to_json()}\n{{}}\n")
    with pytest.raises(SymmetryError, match=rf"^{file}: line 2: missing keys"):
        read_cases(str(file))
    with pytest.raises(SymmetryError, match=r"'nowhere' cannot be read: No such file"):
        read_cases("nowhere")
    with pytest.raises(SymmetryError, match=r"^--case: a case is one line of JSON"):
        read_cases("{")
