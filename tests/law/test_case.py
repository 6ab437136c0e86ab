from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.law.case import (
    DATA,
    DTYPES,
    KEYS,
    WEIGHTS,
    Case,
    CaseError,
    parse_case,
    parse_cases,
)

LINE = (
    '{"n": 8, "i": 1, "h": 2, "c": 10, "lr": 0.5, "iterations": 3, "dtype": "float32", '
    '"data": "pixels", "weights": "zero", "seed": 0}'
)
VALUES = json.loads(LINE)


def with_(**changes) -> str:
    return json.dumps(VALUES | changes)


def test_the_documented_line_is_read_and_written_again():
    case = parse_case(LINE)
    assert case == Case(8, 1, 2, 10, 0.5, 3, "float32", "pixels", "zero", 0)
    assert case.to_json() == LINE
    assert tuple(VALUES) == KEYS
    assert case.work == 8 * 1 * 2 * 3


@given(
    st.builds(
        Case,
        n=st.integers(1, 1000),
        i=st.integers(1, 1000),
        h=st.integers(1, 1000),
        c=st.integers(1, 1000),
        lr=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
        iterations=st.integers(1, 10**5),
        dtype=st.sampled_from(DTYPES),
        data=st.sampled_from(DATA),
        weights=st.sampled_from(WEIGHTS),
        seed=st.integers(0, 2**63 - 1),
    )
)
def test_every_case_survives_its_line(case):
    line = case.to_json()
    assert "\n" not in line
    assert parse_case(line) == case


def test_a_learning_rate_may_be_an_integer():
    case = parse_case(with_(lr=1))
    assert isinstance(case.lr, float)
    assert case == parse_case(with_(lr=1.0))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (with_(n=0), "n must be an integer from 1 to 1000000, not 0"),
        (with_(i=-1), "i must be an integer from 1 to 100000, not -1"),
        (with_(h=2.0), "h must be an integer from 1 to 100000, not 2.0"),
        (with_(c=True), "c must be an integer from 1 to 10000, not true"),
        (with_(iterations="3"), 'iterations must be an integer from 1 to 100000, not "3"'),
        (with_(seed=-1), "seed must be an integer from 0 to 9223372036854775807, not -1"),
        (with_(seed=2**63), "seed must be an integer from 0"),
        (with_(lr=0), "lr must be a positive finite number, not 0"),
        (with_(lr=-0.5), "lr must be a positive finite number, not -0.5"),
        (with_(lr=float("nan")), "lr must be a positive finite number, not NaN"),
        (with_(lr=float("inf")), "lr must be a positive finite number, not Infinity"),
        (with_(lr=10**400), "lr must be a positive finite number, not 1000000"),
        (with_(lr=None), "lr must be a positive finite number, not null"),
        (with_(lr=True), "lr must be a positive finite number, not true"),
        (with_(dtype="float16"), 'dtype must be one of float32, float64; not "float16"'),
        (with_(data="mnist"), "data must be one of zeros, constant, unit, normals, pixels"),
        (with_(weights=["zero"]), 'weights must be one of zero, scaled, .*; not \\["zero"\\]'),
        (with_(extra=1, more=2), 'unknown keys "extra", "more" in a case; it has n, i, h, c'),
        ('{"n": 8}', 'missing keys "i", "h", "c", "lr", "iterations"'),
        (LINE.replace('"seed": 0', '"n": 9'), "a key occurs twice"),
        (LINE[:-12] + "}", 'missing key "seed" in a case'),
        (LINE[:-1], "a case is one line of JSON, which this is not"),
        ("", "a case is one line of JSON"),
        ("[" * 100_000, "a case is one line of JSON"),
        ("[1]", "a case is a JSON object, not \\[1\\]"),
        (with_(n=10**6, i=10**5), "an array of 100,000,000,000 numbers is more than"),
    ],
)
def test_what_is_wrong_with_a_case_is_said_in_one_line(text, message):
    with pytest.raises(CaseError, match=message) as caught:
        parse_case(text)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


def test_several_cases_are_read_line_by_line():
    text = f"\n{LINE}\n\n{with_(n=9)}\n"
    assert [case.n for case in parse_cases(text)] == [8, 9]


def test_the_line_of_a_bad_case_is_named():
    with pytest.raises(CaseError, match=r"^line 2: n must be"):
        parse_cases(f"{LINE}\n{with_(n=0)}")
    with pytest.raises(CaseError, match=r"n must be"):
        parse_cases(with_(n=0))


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_no_case_is_an_error(text):
    with pytest.raises(CaseError, match="no case"):
        parse_cases(text)
