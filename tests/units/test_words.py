from __future__ import annotations

import pytest

from symmetry.units.words import groups_in_words, in_ulps


def groups(hidden, kind):
    """Group units by what ``kind`` says of them."""
    members = {}
    for unit in range(hidden):
        members.setdefault(kind(unit), []).append(unit)
    return [tuple(group) for group in members.values()]


@pytest.mark.parametrize(
    ("text", "hidden", "kind"),
    [
        ("all 3 identical", 3, lambda u: 0),
        ("all 1 identical", 1, lambda u: 0),
        ("all 5 differ", 5, lambda u: u),
        ("unit 0 | unit 1", 2, lambda u: u),
        ("even units | odd units", 200, lambda u: u % 2),
        ("the last 1 of 201", 201, lambda u: u == 200),
        ("the first 1 of 3", 3, lambda u: u == 0),
        ("the first 16 of 64", 64, lambda u: u < 16),
        ("the last 2 of 98", 98, lambda u: u >= 96),
        ("the last 4 of 8", 8, lambda u: u >= 4),
        ("unit 1 alone", 3, lambda u: u == 1),
        ("unit 3 alone", 64, lambda u: u == 3),
        ("every 4th unit from 3", 64, lambda u: u % 4 == 3),
        ("every 3rd unit from 1", 20, lambda u: u % 3 == 1),
        ("alternating blocks of 8", 64, lambda u: u // 8 % 2),
        ("alternating blocks of 16", 200, lambda u: u // 16 % 2),
        ("8 blocks of 8", 64, lambda u: u // 8),
        ("13 blocks of 16, the last of 8", 200, lambda u: u // 16),
        ("4 groups, each of every 4th unit", 64, lambda u: u % 4),
        ("units 0-31 | units 32-63 | units 64-96", 97, lambda u: min(u // 32, 2)),
        ("units 0-2, 5-8, 10-19 | units 3, 4, 9", 20, lambda u: u in (3, 4, 9)),
        ("even units 0-6 | odd units 1-7 | unit 8", 9, lambda u: 2 if u == 8 else u % 2),
        ("7 groups, the largest of 31 units", 200, lambda u: u * u % 13),
        ("2 groups, the largest of 42 units", 60, lambda u: u * u % 60 < 9),
    ],
)
def test_groups_in_words(text, hidden, kind):
    assert groups_in_words(groups(hidden, kind)) == text


def test_groups_of_some_units_only():
    assert groups_in_words([(1, 4), (7,)]) == "units 1, 4 | unit 7"
    assert groups_in_words([(0, 2, 4, 6), (1,)]) == "even units 0-6 | unit 1"
    assert groups_in_words([(5, 10, 15, 20), (7,)]) == "every 5th unit from 5 to 20 | unit 7"
    assert groups_in_words([(5,), (7,)]) == "unit 5 | unit 7"


@pytest.mark.parametrize("hidden", [*range(2, 40), 200])
@pytest.mark.parametrize("modulus", [2, 3, 7, 11, 40])
def test_no_text_is_long(hidden, modulus):
    text = groups_in_words(groups(hidden, lambda u: u * u % modulus))
    assert 0 < len(text) <= 66


def test_ulps_in_words():
    assert in_ulps(1) == "1 ulp"
    assert in_ulps(0) == "0 ulps"
    assert in_ulps(1234567) == "1,234,567 ulps"
