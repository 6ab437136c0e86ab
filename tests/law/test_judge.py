"""The judge: when it asks for a more accurate response, and for other runs."""

from __future__ import annotations

import math

import pytest

from symmetry.law.judge import judge, ratio, worst

LIMIT = 10.0


class Response:
    """A response to be divided by, which counts how often that is done."""

    def __init__(self, moved: float) -> None:
        self.moved, self.calls = moved, 0

    def __call__(self, sides: dict[str, float]) -> list[dict[str, float]]:
        self.calls += 1
        return [{name: ratio(deviation, self.moved) for name, deviation in sides.items()}]


def test_a_small_deviation_is_looked_at_once() -> None:
    first, second = Response(1.0), Response(2.0)
    assert judge({"w": 10.0}, [first, second], LIMIT, [{"w": 99.0}]) == [{"w": 10.0}]
    assert (first.calls, second.calls) == (1, 0)


def test_a_more_accurate_response_may_explain_it() -> None:
    first, second, third = (Response(moved) for moved in (1.0, 2.0, 3.0))
    assert judge({"w": 18.0}, [first, second, third], LIMIT, [{"w": 99.0}]) == [{"w": 9.0}]
    assert third.calls == 0


def test_a_violation_has_to_show_in_all_runs() -> None:
    again = [{"w": 80.0, "v": 90.0}, {"w": 70.0}]
    assert judge({"w": 90.0, "v": 50.0}, [Response(1.0)], LIMIT, again) == [{"w": 70.0}]


@pytest.mark.parametrize(("deviation", "calls"), [(1e3, 1), (1e5, 0), (math.inf, 1)])
def test_a_third_response_changes_nothing_far_beyond_the_limit(deviation, calls) -> None:
    third = Response(1.0)
    judge({"w": deviation}, [Response(1.0), Response(1.0), third], LIMIT, far=100)
    assert third.calls == calls


def test_the_worst_is_in_the_first_step_that_exceeds_the_limit() -> None:
    assert worst([{"w": 9.0, "v": 8.0}, {"w": 5.0}], LIMIT) == (0, "w")
    assert worst([{"w": 9.0}, {"v": 11.0, "u": 12.0}, {"w": 99.0}], LIMIT) == (1, "u")


def test_a_parameter_is_named_before_the_array_of_an_optimiser() -> None:
    found = [{"optimizer.exp_avg.w": 30.0, "model.w": 20.0, "model.v": 5.0}]
    assert worst(found, LIMIT) == (0, "model.w")
    assert worst(found, 40.0) == (0, "optimizer.exp_avg.w")


def test_without_a_response_any_deviation_is_infinite() -> None:
    assert ratio(0.0, 0.0) == 0
    assert ratio(1e-30, 0.0) == math.inf
