from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symmetry.law.measurement import Measurement
from symmetry.steps.invariants import two_layer
from tests.invariants.helpers import (
    DTYPES,
    make_problem,
    measuring,
    numpy_step,
    trainer,
)

HOLDS = Measurement(counted=True)
NAMES = ("symmetry/dead-inputs", "symmetry/repeatable", "symmetry/pure")
dead_inputs, repeatable, pure = map(measuring, NAMES)


def still(x, y, w1, w2, lr):
    return w1, w2


def dead_problem(dead=(1, 3), **kwargs):
    problem = make_problem(**kwargs)
    x = problem.x.copy()
    x[:, list(dead)] = 0
    return replace(problem, x=x)


@pytest.mark.parametrize("measure", [dead_inputs, repeatable, pure])
def test_a_step_that_moves_nothing_does_not_count(measure):
    assert measure(trainer(still), dead_problem()) == Measurement(counted=False)


# --- dead inputs --------------------------------------------------------------------------------


def test_dead_rows_start_at_zero_and_others_do_not():
    problem = dead_problem()
    prepared = two_layer.without_dead_rows(problem)
    assert np.flatnonzero(~prepared.w1.any(axis=1)).tolist() == [2, 4]
    assert problem.w1.all()
    kept = [0, 1, 3, 5]
    assert np.array_equal(prepared.w1[kept], problem.w1[kept])


def test_a_dead_input_that_comes_alive_is_named():
    def reviving(x, y, w1, w2, lr):
        w1, w2 = numpy_step(x, y, w1, w2, lr)
        w1[4, 2] += 0.25 * (w1[4, 2] == 0)
        return w1, w2

    found = dead_inputs(trainer(reviving), dead_problem())
    assert found.violation.message == (
        "after step 1 w1[4, 2] is 0.25, although input 3 is zero in every sample and its row of "
        "w1 began at zero"
    )
    assert found.violation.entry == (4, 2)
    assert found.violation.units is None
    assert found.max_ulps == found.violation.ulps > 2**61


def test_a_negative_zero_is_zero():
    def negative(x, y, w1, w2, lr):
        w1, w2 = numpy_step(x, y, w1, w2, lr)
        return np.where(w1 == 0, -0.0, w1), w2

    assert dead_inputs(trainer(negative), dead_problem()) == HOLDS


def test_dead_inputs_are_not_judged_when_numbers_are_not_finite():
    def diverging(x, y, w1, w2, lr):
        return w1 * np.nan, w2

    assert dead_inputs(trainer(diverging), dead_problem()) == Measurement(counted=False)


@pytest.mark.parametrize("dead", [(), range(5)])
def test_a_dead_and_a_live_input_are_needed(dead):
    problem = dead_problem(dead)
    assert dead_inputs(trainer(numpy_step), problem) == Measurement(counted=False)


def test_the_live_row_has_to_move():
    def only_w2(x, y, w1, w2, lr):
        return w1, numpy_step(x, y, w1, w2, lr)[1]

    assert dead_inputs(trainer(only_w2), dead_problem()) == Measurement(counted=False)


# --- repeatable ---------------------------------------------------------------------------------


@pytest.mark.parametrize("same_sizes", [True, False])
def test_what_another_case_leaves_behind_is_seen(same_sizes):
    problem, left_behind = make_problem(), []

    def leaking(x, y, w1, w2, lr):
        w1, w2 = numpy_step(x, y, w1, w2, lr)
        if np.array_equal(x, problem.x):
            return w1 + len(left_behind), w2
        if (x.shape == problem.x.shape) == same_sizes:
            left_behind.append(x)
        return w1, w2

    violation = repeatable(trainer(leaking), problem).violation
    assert violation.message.startswith("in step 1 a run after other ones gives another w1: w1[")


def test_other_cases_have_other_sizes_and_the_same_sizes():
    seen = []

    def spying(x, y, w1, w2, lr):
        seen.append((x.shape, y.shape, w1.shape, w2.shape, x.dtype, x.tobytes()))
        return numpy_step(x, y, w1, w2, lr)

    for sizes in ({}, {"n": 3, "i": 2, "h": 5, "c": 4}):
        seen.clear()
        repeatable(trainer(spying), make_problem(iterations=1, dtype="float32", **sizes))
        first, second, other_sizes, same_sizes, third = seen
        assert first == second == third
        assert all(a != b for a, b in zip(first[:4], other_sizes[:4], strict=True))
        assert first[:5] == same_sizes[:5]
        assert first[5] != same_sizes[5]
        assert other_sizes[4] == np.float32


def test_the_first_iteration_that_is_not_finite_is_still_repeated():
    rng = np.random.default_rng(0)

    def diverging(x, y, w1, w2, lr):
        w1[:] = np.inf
        w1[0, 0] = rng.normal()
        return w1, w2

    assert repeatable(trainer(diverging), make_problem()).violation.entry == (0, 0)


# --- pure ---------------------------------------------------------------------------------------


def in_place(x, y, w1, w2, lr):
    a, b = numpy_step(x, y, w1, w2, lr)
    w1[:], w2[:] = a, b
    return w1, w2


def test_weights_may_be_overwritten():
    assert pure(trainer(in_place), make_problem()) == HOLDS


def writing(name, entry, value, at=1):
    class Writing:
        def __init__(self):
            self.steps = 0

        def __call__(self, x, y, w1, w2, lr):
            self.steps += 1
            if self.steps == at:
                {"x": x, "y": y}[name][entry] = value
            return numpy_step(x, y, w1, w2, lr)

    return trainer(Writing)


def test_a_write_to_x_is_named():
    problem = make_problem()
    found = pure(writing("x", (3, 2), 7.5, at=2), problem)
    was = float(problem.x[3, 2])
    assert found.violation.message == f"step 2 writes to x: x[3, 2] was {was:.9g} and is 7.5"
    assert (found.violation.iteration, found.violation.array) == (2, "x")
    assert found.violation.entry == (3, 2)


def test_a_write_to_y_is_named():
    problem = make_problem()
    row, column = np.argwhere(problem.y == 0)[0]
    violation = pure(writing("y", (row, column), np.nan), problem).violation
    assert violation.message == f"step 1 writes to y: y[{row}, {column}] was 0 and is nan"
    assert violation.ulps == 2**64 - 1


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_sign_of_a_zero_is_a_write(dtype):
    problem = dead_problem(dtype=dtype)
    violation = pure(writing("x", (4, 3), -0.0), problem).violation
    assert violation.message == "step 1 writes to x: x[4, 3] was 0 and is -0"
    assert violation.ulps == 0


def test_a_step_that_reshapes_its_samples_is_named():
    def reshaping(x, y, w1, w2, lr):
        w1, w2 = numpy_step(x, y, w1, w2, lr)
        x.resize((x.size,), refcheck=False)
        return w1, w2

    violation = pure(trainer(reshaping), make_problem()).violation
    assert violation.message == "step 1 turns x into another shape or dtype"


def test_what_runs_in_between_has_other_numbers():
    seen = []

    def step(x, y, w1, w2, lr):
        seen.append((x, w1, w2))
        return w1, w2

    for states in replace(make_problem(), target=trainer(step)).runs_from_other_starts():
        assert list(states)
    assert len({x.shape for x, *_ in seen}) == 2
    assert all(np.unique(array).size > 1 for arrays in seen for array in arrays)
