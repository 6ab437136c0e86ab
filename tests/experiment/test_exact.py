from __future__ import annotations

import numpy as np

from symmetry.experiment.exact import ExactInvariants

DEAD = np.array([True, False, False])


def zeros() -> tuple[np.ndarray, np.ndarray]:
    return np.zeros((4, 3), np.float32), np.zeros((4, 2), np.float32)


def moved() -> tuple[np.ndarray, np.ndarray]:
    w1, w2 = zeros()
    w1[2:], w2[1:] = 0.5, 0.25
    return w1, w2


def test_nothing_that_moves_proves_nothing() -> None:
    exact = ExactInvariants(*zeros(), DEAD)
    exact.see(1, *zeros())
    assert all(o.holds and not o.counted for o in exact.outcomes())


def test_equal_units_that_move_count() -> None:
    exact = ExactInvariants(*zeros(), DEAD)
    exact.see(1, *zeros())
    exact.see(2, *moved())
    assert all(o.holds and o.counted and o.iterations == 2 for o in exact.outcomes())


def test_one_bit_of_one_entry_is_enough() -> None:
    exact = ExactInvariants(*zeros(), DEAD)
    w1, w2 = moved()
    w1[3, 1] = np.nextafter(w1[3, 1], np.float32(1))
    exact.see(1, *moved())
    exact.see(2, w1, w2)
    exact.see(3, *moved())
    columns, rows, dead = exact.outcomes()
    assert columns.holds is False
    assert columns.split is not None
    assert (columns.split.step, columns.split.ulps) == (2, 1)
    assert columns.split.groups == ((0, 2), (1,))
    assert (columns.max_ulps, columns.distinct, columns.iterations) == (1, 1, 3)
    assert rows.holds
    assert dead.holds


def test_the_bias_row_of_w2_is_no_unit() -> None:
    exact = ExactInvariants(*zeros(), DEAD)
    w1, w2 = moved()
    w2[0] = [3, 4]
    exact.see(1, w1, w2)
    assert exact.outcomes()[1].holds


def test_a_zero_row_that_moves() -> None:
    exact = ExactInvariants(*zeros(), DEAD)
    w1, w2 = moved()
    w1[1] = 1e-45  # the smallest subnormal, the same in every unit
    exact.see(1, w1, w2)
    columns, _, dead = exact.outcomes()
    assert columns.holds
    assert dead.holds is False
    assert (dead.max_ulps, dead.distinct) == (1, 2)


def test_without_dead_inputs_nothing_is_said_about_them() -> None:
    exact = ExactInvariants(*zeros(), np.array([False, False, False]))
    assert len(exact.outcomes()) == 2


def test_dead_inputs_that_start_elsewhere_are_not_watched() -> None:
    w1, w2 = zeros()
    exact = ExactInvariants(w1 + 1, w2, DEAD)
    assert len(exact.outcomes()) == 2


def test_the_first_iteration_that_is_not_finite_is_the_last() -> None:
    exact = ExactInvariants(*zeros(), DEAD)
    w1, w2 = moved()
    w1[2] = np.nan
    broken = moved()
    broken[0][3, 0] = 7
    exact.see(1, *moved())
    exact.see(2, w1, w2)
    exact.see(3, *broken)
    columns, rows, dead = exact.outcomes()
    assert columns.holds
    assert (columns.iterations, rows.iterations, dead.iterations) == (2, 2, 1)


def test_a_nan_in_one_unit_only_is_a_difference() -> None:
    exact = ExactInvariants(*zeros(), DEAD)
    w1, w2 = moved()
    w1[2, 0] = np.nan
    exact.see(1, w1, w2)
    assert exact.outcomes()[0].holds is False


def test_units_that_start_differently_are_not_judged() -> None:
    w1, w2 = moved()
    w1[3] = [1, 2, 3]
    exact = ExactInvariants(w1, w2, DEAD, judged=False)
    exact.see(1, w1, w2)
    columns, rows, *_ = exact.outcomes()
    assert (columns.holds, columns.counted, columns.split) == (None, False, None)
    assert (columns.distinct, rows.distinct) == (3, 1)
