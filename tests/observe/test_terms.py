"""The weights of terms, as numbers."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from symmetry.observe.terms import Terms

COUNTS = st.lists(st.integers(0, 5), min_size=2, max_size=5)


def terms(*arrays):
    return Terms(operation="LogSoftmax", weights=arrays)


def rows(counts, weigh):
    array = np.zeros((len(counts), 5))
    for row, number in zip(array, counts, strict=True):
        row[:number] = weigh(number) if number else 0
    return array


@given(COUNTS.filter(any), st.floats(1e-6, 1e6), st.sampled_from((-1, 1)))
def test_a_mean_gives_all_terms_that_count_the_same_weight(counts, total, sign):
    seen = terms(rows(counts, lambda _: sign * total / sum(counts)))
    assert seen.are_equal
    assert (seen.count, seen.size) == (sum(counts), 5 * len(counts))
    assert np.isclose(seen.total, total)
    assert np.isclose(seen.weight, total / sum(counts))


@given(COUNTS.filter(lambda counts: len({n for n in counts if n}) > 1))
def test_a_mean_of_the_means_of_rows_gives_rows_the_same_weight(counts):
    seen = terms(rows(counts, lambda number: 1 / number))
    assert seen.are_of_equal_rows
    assert not seen.are_equal
    assert not terms(rows(counts, lambda _: 1.0)).are_of_equal_rows


@given(st.integers(2, 9), st.floats(-1e3, 1e3).filter(lambda x: abs(x) > 1e-6))
def test_one_number_may_stand_for_all(size, weight):
    shared = np.broadcast_to(np.float64(weight), (size, size))
    one, other = terms(shared), terms(shared.copy())
    assert (one.count, one.size, one.are_equal) == (other.count, other.size, other.are_equal)
    assert np.isclose(one.total, other.total)


def test_what_is_lost_does_not_count():
    nothing = terms(np.zeros(3))
    assert (nothing.count, nothing.total, nothing.weight) == (0, 0.0, 0.0)
    assert not nothing.are_equal
    assert not nothing.are_of_equal_rows
