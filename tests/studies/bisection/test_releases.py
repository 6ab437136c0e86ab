"""Releases in their order, and those between two of them."""

from __future__ import annotations

import pytest

from symmetry.base.errors import SymmetryError
from tests.studies.bisection.releases import between, ends, releases_of

KNOWN = ["0.9", "1.0.0", "1.2.0", "1.10.0", "2.0"]


def test_the_releases_between_two_are_taken_with_both():
    assert ends("1.0..1.10.0") == ("1.0", "1.10.0")
    assert between(KNOWN, "1.0", "1.10.0") == ["1.0.0", "1.2.0", "1.10.0"]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("1.0", "the releases are OLD..NEW, as in 1.2.0..1.4.1, not '1.0'"),
        ("one..two", "the releases are OLD..NEW, as in 1.2.0..1.4.1, not 'one..two'"),
        ("1.10..1.9", "1.9 is not later than 1.10: write OLD..NEW"),
        ("1.0..1.0", "1.0 is not later than 1.0: write OLD..NEW"),
    ],
)
def test_other_texts_are_errors(text, error):
    with pytest.raises(SymmetryError) as raised:
        ends(text)
    assert str(raised.value) == error


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        ("1.1", "2.0", "pip finds no release 1.1; next to it: 1.0.0, 1.2.0"),
        ("1.2", "3.0", "pip finds no release 3.0; next to it: 2.0"),
        ("0.1", "1.2", "pip finds no release 0.1; next to it: 0.9"),
    ],
)
def test_a_release_that_is_missing_is_an_error_that_names_its_neighbours(old, new, error):
    with pytest.raises(SymmetryError) as raised:
        between(KNOWN, old, new)
    assert str(raised.value) == error


def test_an_option_of_pip_is_no_library():
    with pytest.raises(SymmetryError, match="'--help' is no name of a library"):
        releases_of("--help")
