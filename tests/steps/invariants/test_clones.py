from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from symmetry.law.measurement import Measurement
from symmetry.steps.invariants.splits import elaborated
from tests.catalogues import select
from tests.invariants.helpers import (
    DTYPES,
    exact_step,
    make_problem,
    measuring,
    start_for,
    trainer,
    with_clones,
)

NAMES = ("symmetry/w1-columns", "symmetry/w2-rows", "symmetry/clones")
MEASURES = w1_columns, w2_rows, clones = tuple(map(measuring, NAMES))


def nudged(matrix, position, unit, at=1, factor=None):
    """A trainer that moves one entry of one unit by an ulp, or by a factor, in one step."""

    class Nudged:
        def __init__(self):
            self.steps = 0

        def __call__(self, x, y, w1, w2, lr):
            w1, w2 = exact_step(x, y, w1, w2, lr)
            self.steps += 1
            if self.steps == at:
                units = w1.T if matrix == "w1" else w2[1:]
                old = units[unit, position]
                units[unit, position] = old * factor if factor else np.nextafter(old, old + 1)
            return w1, w2

    return trainer(Nudged)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("measure", MEASURES)
def test_sound_units_stay_alike(measure, dtype):
    for seed in range(20):
        h = 3 + seed
        problem = make_problem(seed, h=h, dtype=dtype, lr=5.0, iterations=6)
        problem = with_clones(problem, [unit % (1 + h // 2) for unit in range(h)])
        assert measure(trainer(exact_step), problem) == Measurement(counted=True)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_violation_names_step_units_entry_and_distance(dtype):
    violation = w1_columns(nudged("w1", 2, 4, at=3), make_problem(dtype=dtype)).violation
    assert violation.message == (
        "after step 3 hidden unit 4 is no longer equal to unit 0: "
        "w1[2, 4] and w1[2, 0] are 1 ulp apart"
    )
    assert (violation.iteration, violation.array) == (3, "w1")
    assert (violation.units, violation.entry, violation.ulps) == ((4, 0), (2, 4), 1)
    assert 0 < violation.relative <= np.finfo(dtype).eps
    assert violation.groups == "unit 4 alone"


def test_rows_of_w2_are_counted_with_the_bias_row():
    found = w2_rows(nudged("w2", 1, 0, factor=2), make_problem())
    assert found.violation.message == (
        "after step 1 hidden unit 0 is no longer equal to unit 1: w2[1, 1] and w2[2, 1] are "
        f"{found.max_ulps:,} ulps apart"
    )
    assert found.violation.groups == "the first 1 of 6"
    assert found.violation.relative == pytest.approx(0.5)
    assert found.max_ulps == found.violation.ulps > 10**15


def test_a_violation_of_one_matrix_is_none_of_the_other_in_the_same_step():
    steps, problem = nudged("w2", 0, 1, at=4), make_problem(iterations=4)
    assert w2_rows(steps, problem).violation.iteration == 4
    assert w1_columns(steps, problem).violation is None
    longer = replace(problem, iterations=5)
    assert w1_columns(steps, longer).violation.iteration == 5


def test_a_split_of_clones_lists_its_own_group_only():
    problem = with_clones(make_problem(h=7), [0, 1, 0, 1, 4, 0, 1])
    found = clones(nudged("w2", 2, 5, at=2), problem)
    assert found.violation.units == (5, 0)
    assert found.violation.groups == "units 0, 2 | unit 5"
    assert found.counted


def test_units_that_did_not_start_alike_may_do_what_they_like():
    problem = with_clones(make_problem(h=5), [0, 1, 2, 0, 4])
    assert clones(nudged("w1", 0, 2), problem) == Measurement(counted=True)
    assert clones(nudged("w1", 0, 3), problem).violation


def test_units_equal_in_one_matrix_only_are_no_clones():
    problem = make_problem(h=4)
    half = replace(problem, w1=with_clones(problem, [0, 0, 0, 0]).w1)
    assert clones(trainer(exact_step), half) == Measurement(counted=False)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_first_iteration_that_is_not_finite_is_compared_and_is_the_last(dtype):
    def diverging(x, y, w1, w2, lr):
        if np.isinf(w1).any():
            w1[0, 3] = 7  # in a second step, which nobody takes
        w1[:, w1[0] == 0] = np.inf
        return w1, w2

    problem = make_problem(dtype=dtype)
    found = w1_columns(trainer(diverging), problem)
    assert found == Measurement(counted=False)

    def one_diverges(x, y, w1, w2, lr):
        w1, w2 = exact_step(x, y, w1, w2, lr)
        w1[2, 1] = np.nan
        return w1, w2

    violation = w1_columns(trainer(one_diverges), problem).violation
    assert violation.iteration == 1
    assert violation.ulps == 2 ** (8 * np.dtype(dtype).itemsize) - 1
    assert violation.relative == 2


@pytest.mark.parametrize("measure", MEASURES)
def test_what_does_not_move_does_not_count(measure):
    def still(x, y, w1, w2, lr):
        return w1, w2

    problem = with_clones(make_problem(), [0, 1, 2, 0, 1, 2])
    assert measure(trainer(still), problem) == Measurement(counted=False)


def test_one_unit_has_nothing_to_be_compared_with():
    for measure in MEASURES:
        assert measure(trainer(exact_step), make_problem(h=1)) == Measurement(counted=False)


def test_w1_needs_a_second_step_to_move():
    problem = make_problem(iterations=1)
    assert not w1_columns(trainer(exact_step), problem).counted
    assert w2_rows(trainer(exact_step), problem).counted


def test_clones_without_a_different_unit_do_not_count():
    problem = with_clones(make_problem(), [0] * 6)
    assert clones(trainer(exact_step), problem) == Measurement(counted=False)


def test_both_matrices_are_measured_in_one_run():
    made = []

    class Counted:
        def __init__(self):
            made.append(self)

        __call__ = staticmethod(exact_step)

    columns, rows = select(NAMES[:2])
    start = start_for(columns, trainer(Counted), make_problem())
    assert columns.measure(start).counted
    assert rows.measure(start).counted
    assert len(made) == 1


def grown(name, steps, problem):
    (invariant,) = select([name])
    start = start_for(invariant, steps, problem)
    return elaborated(start, invariant.measure(start).violation)


def test_growth_is_noted_at_powers_of_two():
    violation = grown("symmetry/w2-rows", nudged("w2", 1, 2, factor=1.5), make_problem())
    assert [iteration for iteration, _ in violation.growth] == [1, 2, 3, 5, 9, 17, 33]
    assert violation.growth[0][1] == pytest.approx(1 / 3)
    assert all(0 < distance <= 2 for _, distance in violation.growth)
    assert violation.rounding is False


def test_growth_of_clones_is_that_within_groups():
    problem = with_clones(make_problem(h=4), [0, 1, 0, 1])
    violation = grown("symmetry/clones", nudged("w1", 1, 3, at=2), problem)
    assert violation.growth[0] == (2, violation.relative)
    assert violation.rounding is True


def test_a_diverging_run_is_followed_until_it_overflows():
    def exploding(x, y, w1, w2, lr):
        w1, w2 = exact_step(x, y, w1, w2, lr)
        w2[1] *= 2
        return w1 * np.float64(1e100), w2 * np.float64(1e100)

    violation = grown("symmetry/w2-rows", trainer(exploding), make_problem())
    assert [iteration for iteration, _ in violation.growth] == [1, 2, 3]


def test_a_large_problem_is_followed_for_fewer_steps():
    def tail(x, y, w1, w2, lr):
        w2[-1] += 1
        return w1, w2

    problem = make_problem(n=2000, i=500, h=40, iterations=1)
    violation = grown("symmetry/w2-rows", trainer(tail), problem)
    assert [iteration for iteration, _ in violation.growth] == [1, 2]
