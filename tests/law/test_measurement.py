"""The violation that two arrays differ: its entry, its distances, its sentence."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from symmetry.law.measurement import Measurement, Violation
from symmetry.units import compare

ARRAYS = arrays(np.float32, (2, 3), elements=st.floats(-9, 9, width=32))


def between(a, b, text="{array}: {at} is {a}, not {b}, {ulps} apart", **facts):
    return Violation.between(a, b, text, 4, "w1", **facts)


@given(ARRAYS, ARRAYS)
def test_the_entry_is_the_one_with_most_ulps(a, b):
    assume(not compare.identical(a, b))
    found = between(a, b)
    assert found.ulps == compare.max_ulps(a, b) > 0
    assert found.ulps == compare.max_ulps(a[found.entry], b[found.entry])
    assert 0 < found.relative <= 2


def test_the_sentence_knows_what_is_there():
    a, b = np.zeros((2, 2), np.float32), np.zeros((2, 2), np.float32)
    b[1, 0] = np.nextafter(np.float32(0), np.float32(1))
    found = between(a, b, units=(1, 0))
    assert found.message == "w1: w1[1, 0] is 0.0, not 1.401298464324817e-45, 1 ulp apart"
    assert (found.iteration, found.array, found.units) == (4, "w1", (1, 0))


def test_another_entry_may_be_meant():
    a, b = np.array([1.0, 1.0]), np.array([2.0, 1.5])
    assert between(a, b).entry == (0,)
    assert (found := between(a, b, entry=(1,))).entry == (1,)
    assert found.relative == pytest.approx(1 / 3)


def test_a_violation_counts_and_has_its_ulps():
    measured = Measurement.violated(Violation("it differs", 1, "w1", ulps=3))
    assert (measured.counted, measured.max_ulps) == (True, 3)
    assert Measurement.violated(Violation("it differs", 1, "w1")).max_ulps == 0
