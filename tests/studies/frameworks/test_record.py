from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symmetry.experiment.settings import Settings
from tests.studies.frameworks.entrant import parse_entrant
from tests.studies.frameworks.record import TrainerPoint, TrainerRun, recorded, spread
from tests.studies.frameworks.task import Task
from tests.tiny import tiny_data

Seen = tuple[float, float, int, np.ndarray, np.ndarray]


def follow(*iterations: Seen, hidden: int = 4) -> tuple[list[TrainerPoint], TrainerRun]:
    task = Task(tiny_data(), Settings(hidden=hidden, iterations=9))
    found: list[Any] = list(recorded(parse_entrant("x"), task, iterations))
    assert found[-1].history == tuple(found[:-1])
    return found[:-1], found[-1]


def weights(w1: float = 1.0, w2: float = 1.0, hidden: int = 4) -> tuple[np.ndarray, np.ndarray]:
    return np.full((7, hidden), w1, np.float32), np.full((hidden + 1, 3), w2, np.float32)


def seen(*matrices: np.ndarray, seconds: float = 0.5, loss: float = 2.3, correct: int = 1) -> Seen:
    w1, w2 = matrices or weights()
    return seconds, loss, correct, w1, w2


def test_spread_is_a_distance_of_vectors_by_their_length() -> None:
    assert spread(np.ones((3, 2))) == 0
    assert spread(np.array([[3.0, 4.0], [3.0, 4.0], [0.0, 0.0]])) == 1
    assert spread(np.array([[3.0, 4.0], [-3.0, -4.0]])) == 2
    assert spread(np.array([[1e300, 0.0], [0.0, 1e300]])) == pytest.approx(np.sqrt(2))
    # An entry that happens to be almost zero does not decide.
    assert spread(np.array([[1.0, 1e-20], [1.0, -1e-20]])) < 1e-19


def test_units_that_stay_identical() -> None:
    points, run = follow(seen(*weights(1.0)), seen(*weights(2.0)))
    point = points[1]
    assert (point.iteration, point.seconds, point.loss, point.accuracy) == (2, 0.5, 2.3, 20.0)
    assert run.split is None
    assert run.counted
    assert run.spreads == (0, 0)
    assert run.groups == ((0, 1, 2, 3),)


def test_units_that_part_and_meet_again() -> None:
    w1, w2 = weights()
    w2[4] = np.nextafter(w2[4], np.float32(2))
    (_, point), run = follow(seen(), seen(w1, w2))
    assert point.ulps == 1
    assert point.spread == pytest.approx(2**-23, rel=1e-3)
    assert run.groups == ((0, 1, 2), (3,))
    _, run = follow(seen(), seen(w1, w2), seen())
    assert run.split == point
    assert point.iteration == 2
    assert run.groups == ((0, 1, 2, 3),)
    assert run.spreads[2] == 0


def test_after_numbers_that_are_not_finite_nothing_is_compared() -> None:
    w1, w2 = weights()
    w1[0, 0] = 5
    infinite = seen(*weights(np.inf), loss=np.nan, correct=0)
    points, run = follow(seen(), infinite, seen(w1, w2, loss=np.nan, correct=0))
    assert (points[2].spread, points[2].ulps) == (None, None)
    assert run.spreads == (0,)
    assert run.compared == 2
    assert run.split is None


def test_one_unit_is_nothing_to_compare() -> None:
    _, run = follow(seen(*weights(hidden=1)), hidden=1)
    assert not run.counted


def test_the_first_iteration_is_kept_apart() -> None:
    _, run = follow(seen(seconds=9.0))
    assert run.seconds is None
    _, run = follow(*(seen(seconds=seconds) for seconds in (9.0, 3.0, 1.0, 2.0)))
    assert run.seconds == 2.0
