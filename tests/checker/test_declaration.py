"""Options that are declared once: their types, and how functions show them."""

from __future__ import annotations

import inspect
from dataclasses import fields

import pytest

import symmetry
from symmetry.base.errors import SymmetryError
from symmetry.checker.declaration import declared
from symmetry.checker.options import Keywords, Options
from symmetry.comparison import options as comparison


@pytest.mark.parametrize(
    ("options", "keywords"),
    [
        (Options, Keywords),
        (comparison.ComparisonOptions, comparison.ComparisonKeywords),
        (comparison.ComparisonOptions, comparison.RunKeywords),
    ],
)
def test_type_checkers_see_the_types_of_the_fields(options: type, keywords: type) -> None:
    types = {field.name: field.type for field in fields(options)}
    for name, annotation in keywords.__annotations__.items():
        assert annotation.__forward_arg__ == types[name]


def test_every_option_is_a_keyword() -> None:
    assert {f.name for f, _ in declared(Options)} == {*Keywords.__annotations__}
    assert {f.name for f, _ in declared(comparison.ComparisonOptions)} == {
        *comparison.ComparisonKeywords.__annotations__
    }


@pytest.mark.parametrize("function", [symmetry.check, symmetry.parametrize_invariants])
def test_a_function_shows_its_options(function: object) -> None:
    parameters = inspect.signature(function).parameters  # type: ignore[arg-type]
    assert parameters["steps"].default == 4
    assert parameters["expect_units"].default == {}
    assert "options" not in parameters
    doc = inspect.getdoc(function) or ""
    assert "steps : int\n    Steps in the runs of a function." in doc


def test_a_recording_has_fewer_options() -> None:
    names = [*inspect.signature(symmetry.record).parameters]
    assert names == ["target", "file", "max_size", "progress", "steps", "dtype", "seed"]


def test_values_that_make_no_sense() -> None:
    assert Options(only="a", gate=["b"]).only == ("a",)
    with pytest.raises(SymmetryError, match="steps must be an integer of at least 2, not True"):
        Options(steps=True)
    with pytest.raises(SymmetryError, match="dtype must be one of float32, float64, not 'half'"):
        Options(dtype="half")
