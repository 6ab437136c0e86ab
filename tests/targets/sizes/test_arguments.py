"""Arguments as one line."""

from __future__ import annotations

import pytest

from symmetry.base.errors import SymmetryError
from symmetry.targets.sizes.arguments import read, refuse_unprintable, spell
from symmetry.targets.sizes.ranges import strategy_of
from symmetry.targets.sizes.space import Space


@pytest.mark.parametrize(
    "arguments",
    [
        {"hidden": 3, "rate": 1e-05, "norm": "batch"},
        {"flag": True, "nothing": None, "word": "two words", "number": "3", "empty": ""},
        {"sizes": (3, 5), "negative": -1.5},
    ],
)
def test_a_line_is_read_back(arguments):
    import shlex

    assert read(shlex.split(spell(arguments))) == arguments


def test_a_line_reads_well():
    assert spell({"hidden": 3, "batch": 1, "rate": 0.01}) == "hidden=3 batch=1 rate=0.01"


@pytest.mark.parametrize("words", [["3"], ["a-b=3"], ["a=1", "a=2"]])
def test_other_words_are_refused(words):
    with pytest.raises(SymmetryError, match="argument"):
        read(words)


@pytest.mark.parametrize("value", [object(), print, float("nan"), float("inf")])
def test_what_cannot_be_typed_is_refused(value):
    with pytest.raises(SymmetryError, match="cannot be typed"):
        refuse_unprintable("kind", value)


@pytest.mark.parametrize(
    ("text", "message"),
    [("5..1", "empty range"), ("a..b", "no number"), (",", "give a range"), ("1..inf", "number")],
)
def test_bad_ranges_are_refused(text, message):
    with pytest.raises(SymmetryError, match=message):
        strategy_of("hidden", text)


def test_ranges_stand_for_what_they_say():
    def values(text):
        return Space({"x": strategy_of("x", text)}).values["x"]

    assert values("1..4") == [1, 2, 3, 4]
    assert values("1,2,16") == [1, 2, 16]
    assert sorted(values("relu,gelu")) == ["gelu", "relu"]
    rates = values("1e-5..1")
    assert (rates[0], rates[-1]) == (1e-5, 1.0)
    assert 20 < sum(rate < 1e-3 for rate in rates) < 60  # as many in each decade
    assert max(values("0.0..0.5")) == 0.5
