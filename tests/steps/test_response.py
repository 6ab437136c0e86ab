"""How far a step's result moves when its arguments move by one ulp."""

from __future__ import annotations

import numpy as np
import pytest

from symmetry.base.errors import TargetError
from symmetry.base.randomness.random import Random
from symmetry.steps.response import PERTURBATIONS, Response, perturbations, response
from symmetry.units.ulps import up_or_down

START = {
    "x": np.array([[1.0, 0.0], [-2.0, 0.5]], np.float32),
    "y": np.eye(2, dtype=np.float32),
    "w1": np.array([[0.0, 1.0], [3.0, -1.0], [0.25, 2.0]], np.float32),
    "w2": np.array([[0.0, 1.0], [1.0, 2.0], [-1.0, 4.0]], np.float32),
}
EPS = float(np.finfo(np.float32).eps)


def test_each_number_moves_by_one_ulp_and_zeros_stay() -> None:
    moved = up_or_down({"w": START["w1"]}, Random(1))["w"]
    away = (
        np.nextafter(START["w1"], np.float32(np.inf)),
        np.nextafter(START["w1"], -np.float32(np.inf)),
    )
    nonzero = START["w1"] != 0
    assert ((moved == away[0]) | (moved == away[1]))[nonzero].all()
    assert not moved[~nonzero].any()


def test_there_are_as_many_as_promised_and_none_writes_into_the_start() -> None:
    before = {name: array.copy() for name, array in START.items()}
    found = list(perturbations(START, 0.5, Random(2)))
    assert len(found) == PERTURBATIONS
    assert [changed["lr"] for changed, _ in found if "lr" in changed] == [
        0.5 * (1 + EPS),
        0.5 * (1 - EPS),
    ]
    for name, array in START.items():
        np.testing.assert_array_equal(array, before[name])


def test_labels_move_between_two_classes_of_a_sample() -> None:
    changes = [
        changed["y"] for changed, _ in perturbations(START, 0.5, Random(3)) if "y" in changed
    ]
    for y in changes:
        np.testing.assert_allclose(y.sum(axis=1), 1, atol=EPS)
        assert (abs(y - START["y"]) > 0).sum(axis=1).tolist() == [2, 2]


def test_the_shift_of_an_array_is_no_change_of_it() -> None:
    shifted = [(changed, shift) for changed, shift in perturbations(START, 0.5, Random(4)) if shift]
    results = [(START | changed, shift) for changed, shift in shifted]
    found = response({"w2": START["w2"]}, [({"w2": r["w2"]}, s) for r, s in results])
    assert found == {"w2": pytest.approx(EPS)}  # the least: a quarter of the ulp of the largest, 4


def test_the_largest_change_is_the_response() -> None:
    result = {"a": np.zeros(2), "b": np.array([8.0])}
    nearby = [
        ({"a": np.array([0.0, 3e-9]), "b": result["b"]}, {}),
        ({"a": np.array([-5e-9, 0]), "b": result["b"]}, {}),
    ]
    assert response(result, nearby) == {"a": 5e-9, "b": 8 * np.finfo(np.float64).eps / 4}


def test_a_number_that_is_not_finite_gives_none() -> None:
    assert response({"a": np.zeros(1)}, [({"a": np.array([np.inf])}, {})]) is None
    assert response({"a": np.array([1e308])}, [({"a": np.array([-1e308])}, {})]) is None


def test_a_step_that_raises_beside_the_start_does_so_each_time() -> None:
    def fails() -> dict[str, np.ndarray]:
        raise TargetError("no")

    result = {"w": np.ones(2)}
    found = Response(result, iter([(lambda: {"w": np.full(2, 1.5)}, {}), (fails, {})]))
    assert found.of(1) == {"w": 0.5}
    for _ in range(2):
        with pytest.raises(TargetError):
            found.of(2)
    assert found.of(1) == {"w": 0.5}
