"""Bugs that act only at some sizes are found and shrunk, and their mends are not accused."""

from __future__ import annotations

import pytest

import symmetry
from tests.targets.sizes.bugs import BUGS


def checked(training, **options):
    return symmetry.check(training, examples=4, dtype="float32", **options)


@pytest.mark.slow
@pytest.mark.parametrize("make", BUGS)
def test_it_is_found_and_shrunk(make):
    invariant, smallest = BUGS[make]
    report = checked(make(mended=False), only=invariant)
    assert [v.smallest.arguments for v in report if v.kind == "violated"] == [smallest]


@pytest.mark.slow
@pytest.mark.parametrize("make", BUGS)
def test_its_mend_is_not_accused(make):
    assert checked(make(mended=True)).ok
