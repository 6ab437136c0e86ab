"""What first-step, gradient and collapsed say, and when they count. The bound has its own tests."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.law.measurement import Measurement
from tests.invariants.helpers import (
    DTYPES,
    Momentum,
    collapsed,
    exact_step,
    first_step,
    gradient,
    make_problem,
    numpy_step,
    trainer,
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("measure", [first_step, gradient, collapsed])
def test_the_formulas_hold_and_count(measure, dtype):
    for h in (1, 2, 17):
        found = measure(trainer(exact_step), make_problem(h=h, dtype=dtype))
        assert found.counted
        assert found.violation is None
        assert 0 <= found.margin < 1


def scaled_in_one_entry(matrix, entry, factor=1.5):
    def step(x, y, w1, w2, lr):
        weights = dict(zip(("w1", "w2"), exact_step(x, y, w1, w2, lr), strict=True))
        weights[matrix][entry] *= factor
        return weights["w1"], weights["w2"]

    return trainer(step)


def test_a_gradient_that_is_off_is_named_with_its_bound():
    problem = make_problem(dtype="float32")
    found = gradient(scaled_in_one_entry("w1", (2, 3)), problem)
    violation = found.violation
    right = exact_step(problem.x, problem.y, problem.w1, problem.w2, problem.lr)[0][2, 3]
    text = f"after step 1 w1[2, 3] is {right * np.float32(1.5)!s}; by the formulas it is "
    assert violation.message.startswith(text)
    value, bound = violation.message.removeprefix(text).split(" ± ")
    assert float(value) == pytest.approx(float(right), rel=1e-6)
    assert 0 < float(bound) < 1e-6
    assert (violation.iteration, violation.array, violation.entry) == (1, "w1", (2, 3))
    assert violation.units is None
    assert violation.relative == pytest.approx(1 / 3, rel=1e-5)
    assert violation.ulps == found.max_ulps > 10**6


def test_w1_leaves_zero_in_the_first_step():
    def early(x, y, w1, w2, lr):
        w1, w2 = exact_step(x, y, w1, w2, lr)
        w1[1, 0] = 1e-30
        return w1, w2

    found = first_step(trainer(early), make_problem())
    assert found.violation.message == (
        "after step 1 w1[1, 0] is 1e-30; from zero weights it stays 0.0"
    )
    assert found.margin == np.inf


def test_negative_zeros_stay_zero():
    def negative(x, y, w1, w2, lr):
        w1, w2 = exact_step(x, y, w1, w2, lr)
        return -abs(w1), w2

    assert first_step(trainer(negative), make_problem()).violation is None


def test_a_hidden_row_is_half_the_bias_row():
    problem = make_problem()
    found = first_step(scaled_in_one_entry("w2", (4, 1)), problem)
    assert found.violation.entry == (4, 1)
    assert "after step 1 w2[4, 1] is " in found.violation.message
    assert "; half the bias row is " in found.violation.message


def test_the_bias_row_itself_is_only_a_measure():
    def twice(x, y, w1, w2, lr):
        return exact_step(x, y, w1, w2, 2 * lr)

    assert first_step(trainer(twice), make_problem()).violation is None
    assert gradient(trainer(twice), make_problem()).violation


def test_collapsed_names_the_step():
    found = collapsed(trainer(Momentum), make_problem())
    assert found.violation.iteration == 2
    assert found.violation.message.startswith("after step 2 w")
    assert "; by the collapsed network it is " in found.violation.message


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_run_ends_with_the_step_that_splits_the_units(dtype):
    handed = []

    class Splitting:
        def __call__(self, x, y, w1, w2, lr):
            handed.append((w1.copy(), w2.copy()))
            w1, w2 = exact_step(x, y, w1, w2, lr)
            if len(handed) == 3:
                w2[2, 0] = np.nextafter(w2[2, 0], w2.dtype.type(9))
            return w1, w2

    found = collapsed(trainer(Splitting), make_problem(iterations=9, dtype=dtype))
    assert found.violation is None
    assert len(handed) == 3
    for w1, w2 in handed:
        assert (w1 == w1[:, :1]).all()
        assert (w2[1:] == w2[1:2]).all()


def test_steps_that_move_nothing_do_not_count():
    problem = make_problem(c=1)
    for measure in (first_step, gradient, collapsed):
        assert measure(trainer(numpy_step), problem).counted is False


def test_an_update_below_its_bound_is_no_witness():
    """Weights so large, or a rate so small, that the update drowns."""
    problem = make_problem(lr=1e-20)
    assert gradient(trainer(numpy_step), problem).counted is False
    assert collapsed(trainer(numpy_step), make_problem(iterations=1)).counted


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_run_that_leaves_the_range_is_not_judged_there(dtype):
    huge = float(np.finfo(dtype).max) / 20
    problem = make_problem(lr=huge, dtype=dtype, iterations=5)
    found = collapsed(trainer(numpy_step), problem)
    assert found.violation is None
    assert found.counted


def test_founds_hold_their_margin():
    found = gradient(scaled_in_one_entry("w2", (0, 0), 1 + 1e-9), make_problem())
    assert isinstance(found, Measurement)
    assert found.margin > 1e3
