from __future__ import annotations

import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from symmetry.units import compare

DTYPES = ("float32", "float64")
WIDTHS = {"float32": 32, "float64": 64}


def numbers(dtype, **kwargs):
    return st.floats(width=WIDTHS[dtype], **kwargs).map(np.dtype(dtype).type)


def pairs(**kwargs):
    return st.sampled_from(DTYPES).flatmap(
        lambda dtype: st.tuples(numbers(dtype, **kwargs), numbers(dtype, **kwargs))
    )


def matrices(dtype="float32", elements=None):
    values = [0.0, -0.0, 1.0, float("nan"), float("inf"), 1.5, -2.0]
    return hnp.arrays(
        dtype,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.sampled_from(values) if elements is None else elements,
    )


def ulps(a, b):
    return int(compare.ulp_distances(np.array([a]), np.array([b]))[0])


def relative(a, b):
    return float(compare.relative_distances(np.array([a]), np.array([b]))[0])


def position_on_the_line(value):
    """The same integers, made of the bits by the standard library."""
    code, size = ("<f", 4) if isinstance(value, np.float32) else ("<d", 8)
    bits = int.from_bytes(struct.pack(code, value), "little")
    sign = 1 << (8 * size - 1)
    return -(bits - sign) if bits & sign else bits


@given(pairs(allow_nan=False))
def test_ulp_distance_counts_the_integers_between(pair):
    a, b = pair
    assert ulps(a, b) == abs(position_on_the_line(a) - position_on_the_line(b))


@given(pairs(allow_nan=False))
def test_ordered_keeps_the_order(pair):
    a, b = pair
    x, y = compare.ordered(np.array([a, b]))
    assert (x < y) == (a < b)
    assert (x == y) == (a == b)


@given(pairs(allow_nan=False, allow_infinity=False))
def test_neighbours_are_one_ulp_apart(pair):
    a, _ = pair
    with np.errstate(over="ignore"):
        assert ulps(a, np.nextafter(a, a.dtype.type(np.inf))) == 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_ends_of_the_line_do_not_overflow(dtype):
    largest, kind = np.finfo(dtype).max, np.dtype(dtype).type
    to_infinity = position_on_the_line(kind(np.inf))
    assert ulps(kind(-np.inf), kind(np.inf)) == 2 * to_infinity
    assert ulps(kind(-largest), kind(largest)) == 2 * to_infinity - 2
    assert isinstance(compare.max_ulps(np.array([-largest]), np.array([largest])), int)


@pytest.mark.parametrize("dtype", DTYPES)
def test_zeros_are_one_number_and_nans_another(dtype):
    f = np.dtype(dtype).type
    assert ulps(f(0.0), f(-0.0)) == 0
    assert ulps(f(np.nan), -f(np.nan)) == 0
    assert ulps(np.nextafter(f(0), f(-1)), np.nextafter(f(0), f(1))) == 2
    assert compare.identical(np.array([0, np.nan], dtype), np.array([-0.0, -np.nan], dtype))
    assert not compare.identical(np.array([0, np.nan], dtype), np.array([np.nan, 0], dtype))


@given(pairs(allow_nan=False))
def test_a_nan_is_farther_than_any_number(pair):
    a, b = pair
    from_nan = ulps(a.dtype.type(np.nan), a)
    assert from_nan == 2 ** (8 * a.dtype.itemsize) - 1
    assert ulps(a, b) < from_nan
    assert ulps(a, a.dtype.type(np.nan)) == from_nan


@given(pairs())
def test_equal_means_no_distance(pair):
    a, b = pair
    equal = bool(compare.equal(np.array([a]), np.array([b]))[0])
    assert equal == (ulps(a, b) == 0)
    assert equal == (relative(a, b) == 0)


@given(pairs())
def test_relative_distance_is_symmetric_and_from_0_to_2(pair):
    a, b = pair
    assert 0 <= relative(a, b) <= 2
    assert relative(a, b) == relative(b, a)


@given(pairs(allow_nan=False, allow_infinity=False))
def test_relative_distance_is_what_it_says(pair):
    from fractions import Fraction

    a, b = Fraction(float(pair[0])), Fraction(float(pair[1]))
    larger = max(abs(a), abs(b))
    expected = float(abs(a - b) / larger) if larger else 0.0
    assert math.isclose(relative(*pair), expected, rel_tol=1e-15)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (np.inf, -np.inf, 2),
        (np.inf, np.inf, 0),
        (np.inf, 1.0, 1),
        (-np.inf, 1.0, 1),
        (np.nan, 1.0, 2),
        (np.nan, np.inf, 2),
        (np.nan, np.nan, 0),
        (1e308, -1e308, 2),
        (5e-324, -5e-324, 2),
        (0.0, 5e-324, 1),
    ],
)
def test_relative_distance_at_the_ends(a, b, expected):
    assert relative(np.float64(a), np.float64(b)) == expected


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_groups_are_the_sets_of_identical_rows(dtype, data):
    units = data.draw(matrices(dtype))
    groups = compare.group_rows(units)
    assert sorted(unit for group in groups for unit in group) == list(range(len(units)))
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    group_of = {unit: group for group in groups for unit in group}
    for a, one in enumerate(units):
        for b, other in enumerate(units):
            assert (group_of[a] == group_of[b]) == compare.identical(one, other)
    assert compare.distinct(units) == len(groups)


@pytest.mark.parametrize("dtype", DTYPES)
@given(data=st.data())
def test_spread_is_the_largest_distance_of_any_two_rows(dtype, data):
    units = data.draw(matrices(dtype))
    expected = max(compare.max_ulps(one, other) for one in units for other in units)
    assert compare.spread_ulps(units) == expected
    assert compare.all_equal(units) == (expected == 0)


def test_other_dtypes_are_refused():
    with pytest.raises(KeyError):
        compare.ordered(np.zeros(1, np.float16))
