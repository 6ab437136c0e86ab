from __future__ import annotations

import numpy as np
import pytest

from symmetry.comparison.record import Recorder, TrainerRun, spread
from symmetry.comparison.subject import parse_subject
from symmetry.task import Settings, Task
from tests.tiny import tiny_data


def follower(hidden: int = 4) -> Recorder:
    settings = Settings(hidden=hidden, iterations=9)
    return Recorder(parse_subject("x"), Task(tiny_data(), settings))


def weights(w1: float = 1.0, w2: float = 1.0, hidden: int = 4) -> tuple[np.ndarray, np.ndarray]:
    return np.full((7, hidden), w1, np.float32), np.full((hidden + 1, 3), w2, np.float32)


def record(followed: Recorder) -> TrainerRun:
    return followed.run()


def test_spread_is_a_distance_of_vectors_by_their_length() -> None:
    assert spread(np.ones((3, 2))) == 0
    assert spread(np.array([[3.0, 4.0], [3.0, 4.0], [0.0, 0.0]])) == 1
    assert spread(np.array([[3.0, 4.0], [-3.0, -4.0]])) == 2
    assert spread(np.array([[1e300, 0.0], [0.0, 1e300]])) == pytest.approx(np.sqrt(2))
    # An entry that happens to be almost zero does not decide.
    assert spread(np.array([[1.0, 1e-20], [1.0, -1e-20]])) < 1e-19


def test_units_that_stay_identical() -> None:
    followed = follower()
    for value in (1.0, 2.0):
        point = followed.see(0.5, 2.3, 1, *weights(value))
    assert (point.iteration, point.seconds, point.loss, point.accuracy) == (2, 0.5, 2.3, 20.0)
    run = record(followed)
    assert run.split is None
    assert run.counted
    assert run.spreads == (0, 0)
    assert run.groups == ((0, 1, 2, 3),)


def test_units_that_part_and_meet_again() -> None:
    followed = follower()
    followed.see(0.5, 2.3, 1, *weights())
    w1, w2 = weights()
    w2[4] = np.nextafter(w2[4], np.float32(2))
    point = followed.see(0.5, 2.3, 1, w1, w2)
    assert point.ulps == 1
    assert point.spread == pytest.approx(2**-23, rel=1e-3)
    assert record(followed).groups == ((0, 1, 2), (3,))
    followed.see(0.5, 2.3, 1, *weights())
    run = record(followed)
    assert run.split == point
    assert point.iteration == 2
    assert run.groups == ((0, 1, 2, 3),)
    assert run.spreads[2] == 0


def test_after_numbers_that_are_not_finite_nothing_is_compared() -> None:
    followed = follower()
    followed.see(0.5, 2.3, 1, *weights())
    followed.see(0.5, np.nan, 0, *weights(np.inf))
    w1, w2 = weights()
    w1[0, 0] = 5
    point = followed.see(0.5, np.nan, 0, w1, w2)
    assert (point.spread, point.ulps) == (None, None)
    run = record(followed)
    assert run.spreads == (0,)
    assert run.compared == 2
    assert run.split is None


def test_one_unit_is_nothing_to_compare() -> None:
    followed = follower(hidden=1)
    followed.see(0.5, 2.3, 1, *weights(hidden=1))
    assert not record(followed).counted


def test_the_first_iteration_is_kept_apart() -> None:
    followed = follower()
    followed.see(9.0, 2.3, 1, *weights())
    assert record(followed).seconds is None
    for seconds in (3.0, 1.0, 2.0):
        followed.see(seconds, 2.3, 1, *weights())
    run = record(followed)
    assert run.seconds == 2.0
