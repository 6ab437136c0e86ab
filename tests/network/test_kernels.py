"""The loop under all products: each entry is one chain of fused multiply-adds."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from symmetry.network import core, kernels
from tests.conftest import slow
from tests.network import oracle
from tests.network.arrays import DTYPES


def _caller(width, count):
    @njit
    def call(total, values, indices, start, stop, rows):
        kernels.multiply_add(total, values, indices, start, stop, rows, width, count)

    return call


CALLS = {  # as the products call it: widths in bytes, and totals side by side
    (width, count): _caller(width, count)
    for width, count in {
        *((tile, 1) for tile in kernels.TILES),
        (kernels.LINE_BYTES, kernels.FEW),
        (kernels.LINE_BYTES, kernels.TOTALS),
        (kernels.PANEL_BYTES, kernels.UNITS),
        (kernels.FEW_BYTES, kernels.INPUTS),
    }
}


fused = np.vectorize(oracle.fma)


@njit
def _call_any_width(total, values, indices, start, stop, rows):
    width = rows.shape[1] * rows.itemsize
    kernels.multiply_add(total, values, indices, start, stop, rows, width, 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("width", "count"), CALLS)
@pytest.mark.parametrize(
    ("listed", "bytes_"), [(False, False), (True, True), slow(False, True), slow(True, False)]
)
def test_multiply_add_means_what_its_docstring_says(dtype, width, count, listed, bytes_):
    rng = np.random.default_rng(2)
    lanes = width // np.dtype(dtype).itemsize
    rows = rng.normal(size=(9, lanes + 3)).astype(dtype)  # rows need not follow one another
    if bytes_:
        rows = rng.integers(0, 256, rows.shape).astype(np.uint8)
    rows = rows[:, 2 : 2 + lanes]
    values = rng.normal(size=(12, count)).astype(dtype).T
    indices = rng.integers(0, 9, 12).astype(np.uint16) if listed else None
    total = rng.normal(size=(count, lanes + 5)).astype(dtype)  # nor need the totals
    for start, stop in (0, 0), (2, 7), (0, 12 if listed else 9):
        expected = total.copy()
        for p in range(start, stop):
            row = rows[indices[p] if listed else p].astype(dtype)
            expected[:, :lanes] = fused(values[:, p, None], row, expected[:, :lanes])
        single = count == 1
        CALLS[width, count](
            total[0] if single else total,
            values[0] if single else values,
            *(indices, start, stop, rows),
        )
        assert total.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("in_panels", [False, True])
def test_multiply_add_takes_lines_in_tiles_of_their_own(dtype, in_panels):
    rng = np.random.default_rng(4)
    call = _caller(3 * kernels.LINE_BYTES, kernels.TOTALS)
    lanes, panel = kernels.LINE_BYTES // np.dtype(dtype).itemsize, core.panel_for(dtype)
    terms = 2 * panel - 5
    total = rng.normal(size=(4, kernels.TOTALS, lanes)).astype(dtype)
    rows = rng.normal(size=(4, terms, lanes)).astype(dtype)
    panels = rng.normal(size=(2, kernels.TOTALS + 2, panel)).astype(dtype)[:, 1:]
    by_term = np.ascontiguousarray(np.concatenate([*panels.swapaxes(1, 2)])[:terms])
    expected = total.copy()
    for p in range(terms):
        values = by_term[p, : kernels.TOTALS, None]
        expected[:3] = fused(values, rows[:3, p, None], expected[:3])
    call(total, panels if in_panels else by_term.T, None, 0, terms, rows)
    assert total.tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_multiply_add_takes_panels_side_by_side(dtype):
    rng = np.random.default_rng(5)
    call, panel, terms = _caller(kernels.ABREAST_BYTES, 1), core.panel_for(dtype), 7
    panels = rng.normal(size=(kernels.PANELS + 1, terms + 2, panel)).astype(dtype)
    values = rng.normal(size=(terms, 3)).astype(dtype)[:, 1]
    total = rng.normal(size=kernels.PANELS * panel + 3).astype(dtype)
    expected = total.copy()
    for p in range(2, terms):
        row = np.concatenate([*panels[: kernels.PANELS, p]])
        expected[:-3] = fused(values[p], row, expected[:-3])
    call(total, values, None, 2, terms, panels)
    assert total.tobytes() == expected.tobytes()


@njit
def _call_across(total, values, factors):
    kernels.multiply_add_across(total, values, factors)


@pytest.mark.parametrize("dtype", DTYPES)
def test_multiply_add_across_means_what_its_docstring_says(dtype):
    rng = np.random.default_rng(6)
    samples, line = (size // np.dtype(dtype).itemsize for size in (kernels.FEW_BYTES, core.LINE))
    panel = rng.normal(size=(kernels.ACROSS + 5, core.panel_for(dtype))).astype(dtype)
    factors = rng.normal(size=(samples, line)).astype(dtype)
    total = rng.normal(size=kernels.ACROSS + 2).astype(dtype)
    for first in range(0, panel.shape[1], samples):
        expected = total.copy()
        for s in range(samples):
            values = panel[3:-2, first + s]
            expected[:-2] = fused(values, factors[s, 0], expected[:-2])
        _call_across(total, panel[3:, first:], factors[:, 0])
        assert total.tobytes() == expected.tobytes()


@pytest.mark.parametrize("width", kernels.TILES)
def test_multiply_add_takes_a_width_that_only_the_running_code_knows(width):
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(5, width // 8))
    values, total = rng.normal(size=5), np.zeros(width // 8)
    expected = total.copy()
    for p in range(5):
        expected = fused(values[p], rows[p], expected)
    _call_any_width(total, values, None, 0, 5, rows)
    assert total.tobytes() == expected.tobytes()
