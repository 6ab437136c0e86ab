"""exp, log and fma: measured against correctly rounded references."""

from __future__ import annotations

import ctypes
import math
from ctypes.util import find_library

import mpmath
import numpy as np
import pytest
from numba import njit

from symmetry.network import kernels
from tests.network import oracle


@njit(error_model="numpy")
def exp(x):
    result = np.empty_like(x)
    for k in range(len(x)):
        result[k] = kernels.exp(x[k])
    return result


@njit
def fma(a, b, c):
    return kernels.fma(a, b, c)


def libm_fma(dtype):
    """Return the C library's own: another implementation, and the processor's where it has one."""
    name, number = {"float32": ("fmaf", ctypes.c_float), "float64": ("fma", ctypes.c_double)}[dtype]
    function = getattr(ctypes.CDLL(find_library("m")), name)
    function.argtypes, function.restype = [number] * 3, number
    return function


def triples(dtype):
    """Return numbers whose sums cancel, tie, underflow and overflow more often than others do."""
    rng, info = np.random.default_rng(4), np.finfo(dtype)
    count = 6000
    mantissas = 1 + rng.integers(0, 2 ** rng.integers(1, info.nmant + 1, count), (3, count)) / (
        2.0 ** rng.integers(1, info.nmant + 1, (3, count))
    )
    low, high = info.minexp - info.nmant, info.maxexp
    a_exponents = rng.integers(low // 2 - 9, high // 2 + 9, (2, count))
    apart = rng.integers(-2 * info.nmant, 2 * info.nmant, count)
    exponents = np.stack([*a_exponents, np.clip(a_exponents.sum(0) + apart, low, high - 1)])
    signs = rng.choice([-1.0, 1.0], (3, count))
    with np.errstate(over="ignore"):
        a, b, c = np.ldexp(signs * mantissas, exponents).astype(dtype)
        c[::4] = -a[::4] * b[::4]  # what is left is the product's rounding error
    special = np.array([0.0, -0.0, 1.0, -1.0, info.max, info.smallest_subnormal, np.inf, np.nan])
    grid = np.stack(np.meshgrid(special, special, special)).reshape(3, -1).astype(dtype)
    return zip(*np.concatenate([np.stack([a, b, c]), grid], axis=1), strict=True)


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid", "ignore:underflow")
@pytest.mark.skipif(not find_library("m"), reason="no libm of its own")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exact_fma_of_the_oracle_is_that_of_the_c_library_and_of_compiled_code(dtype):
    other = libm_fma(dtype)
    for a, b, c in triples(dtype):
        found = oracle.fma(a, b, c)
        assert found.dtype == dtype
        for value in (other(a, b, c), fma(a, b, c)):
            assert np.array_equal(found, value, equal_nan=True), (a, b, c)
            assert np.isnan(found) or np.signbit(found) == np.signbit(value), (a, b, c)


def test_fma_rounds_once():
    a = np.float64(1 + 2**-30)
    assert a * a - 1 - 2**-29 == 0
    assert oracle.fma(a, a, np.float64(-1 - 2**-29)) == 2**-60


def worst_error(function, x, got):
    """Return the largest |got - function(x)| in units of the last place of the exact value."""
    worst = 0.0
    with mpmath.workprec(200):
        for argument, value in zip(x, got, strict=True):
            exact = function(mpmath.mpf(float(argument)))
            ulp = float(np.spacing(got.dtype.type(exact)))
            worst = max(worst, abs(float((mpmath.mpf(float(value)) - exact) / ulp)))
    return worst


def every_float32(low, high, stride):
    """Return float32 numbers from low to high, `stride` neighbours apart."""
    ordered = [int(np.float32(x).view(np.int32)) for x in (low, high)]
    ordered = [x if x >= 0 else -(x & 0x7FFFFFFF) for x in ordered]
    keys = np.arange(ordered[0], ordered[1], stride)
    return np.where(keys >= 0, keys, -keys | -(2**31)).astype(np.int32).view(np.float32)


def test_float32_exp_is_within_its_stated_error():
    x = every_float32(-87.3, 88.72, 1009)
    exact = np.exp(x.astype(np.float64))
    error = np.abs(exp(x) - exact) / np.spacing(exact.astype(np.float32))
    assert len(x) > 10**6
    assert 0.5 < error.max() <= 1.2


def test_float32_exp_never_falls():
    assert np.all(np.diff(exp(every_float32(-105, 88.72, 1013))) >= 0)
    near_zero = every_float32(-1e-3, 1e-3, 10_007)
    assert np.all(np.diff(exp(near_zero)) >= 0)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_subnormal_results_are_within_two_of_the_smallest_number(dtype):
    low, normal = {"float32": (-104, -87.4), "float64": (-745.5, -708.4)}[dtype]
    x = np.linspace(low, normal, 2001).astype(dtype)
    assert worst_error(mpmath.exp, x, exp(x)) <= 2


def test_float64_exp_is_within_its_stated_error():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.uniform(-708, 709.78, 4000), rng.normal(size=4000)])
    assert 0.5 < worst_error(mpmath.exp, x, exp(x)) <= 1.2


@pytest.mark.parametrize(
    ("dtype", "last_finite", "last_positive"),
    [("float32", 88.72283, -103.27893), ("float64", 709.782712893384, -744.4400719213812)],
)
def test_exp_is_right_at_the_ends_of_its_range(dtype, last_finite, last_positive):
    x = np.array(
        [0.0, -0.0, np.inf, -np.inf, np.nan, last_finite, last_finite + 0.01, last_positive, -746],
        dtype,
    )
    got = exp(x)
    assert got[0] == got[1] == 1
    assert got[2] == np.inf
    assert got[3] == 0
    assert np.isnan(got[4])
    assert np.isfinite(got[5])
    assert got[6] == np.inf
    assert 0 < got[7] <= 2 * np.finfo(dtype).smallest_subnormal
    assert got[8] == 0


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exp_equals_the_oracle_to_the_bit(dtype):
    x = np.random.default_rng(1).uniform(-110, 95, 5000).astype(dtype)
    with np.errstate(over="ignore"):
        assert exp(x).tolist() == [oracle.exp(value) for value in x]


def test_log_is_within_its_stated_error():
    rng = np.random.default_rng(2)
    x = np.concatenate(
        [
            rng.uniform(0.5, 2, 4000),
            rng.uniform(1, 1000, 2000),
            np.exp(rng.uniform(-744, 709, 2000)),
        ]
    )
    got = np.array([kernels.log(value) for value in x])
    assert 0.5 < worst_error(mpmath.log, x, got) < 1


def test_log_is_right_at_the_ends_of_its_range():
    assert kernels.log(1.0) == 0
    assert kernels.log(0.0) == -math.inf
    assert kernels.log(math.inf) == math.inf
    assert math.isnan(kernels.log(-1.0))
    assert math.isnan(kernels.log(math.nan))
    assert kernels.log(5e-324) == pytest.approx(-744.4400719213812, rel=1e-15)


def test_log_equals_the_oracle_to_the_bit():
    rng = np.random.default_rng(3)
    root = math.sqrt(0.5)
    x = np.concatenate(
        [np.exp(rng.uniform(-744, 709, 3000)), root * (1 + np.arange(-500, 500) * 2.0**-40)]
    )
    assert [kernels.log(value) for value in x] == [oracle.log(float(value)) for value in x]
