"""The response of an origin that answers a draw with a number of its own."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from symmetry.training import response as module
from symmetry.training.response import (
    DRAWS,
    FAR_DRAWS,
    FAR_ULPS,
    GLANCE,
    MORE_DRAWS,
    Response,
)
from symmetry.training.run import RunSettings

EPS = float(np.finfo(np.float64).eps)


class Run:
    """A run whose weight ends as far from 1 as its draw says."""

    def __init__(self, origin, draw):
        self.origin, self.draw = origin, draw

    def nudge_by(self, seed):
        self.origin.nudged.append(seed)

    def states(self, steps, *, copy):
        if self.draw is None:
            return [{"w": np.array([value])} for value in self.origin.far]
        return [{"w": np.array([1.0 + step * self.draw])} for step in range(steps)]


class Origin:
    """An origin that notes which runs are begun."""

    scale = {"w": 1.0}  # noqa: RUF012
    result = ({"w": np.array([1.0])}, {"w": np.array([1.0])})

    def __init__(self, *, compiles=False, far=(1.0, 1.0)):
        self.begun, self.nudged, self.far, self.distances = [], [], far, []
        settings = RunSettings(dtype="float64")
        self.first = SimpleNamespace(settings=settings, baseline=SimpleNamespace(compiles=compiles))

    def nearby(self, draw, times=1.0):
        self.distances.append(times)
        return draw if times == 1 else None

    def begin(self, draw):
        if draw is not None:
            self.begun.append(draw)
        return Run(self, draw)

    def with_run(self, function, changed):
        return function(self.begin(changed))


def test_the_largest_movement_counts_and_one_ulp_is_the_least():
    assert Response(Origin()).of(3) == [{"w": EPS}, {"w": 2.0}]


class FourTimes(Origin):
    """The origin of the example: a step makes a parameter four times as large."""

    scale = {"w": 16.0}  # noqa: RUF012
    result = ({"w": np.array([4.0])}, {"w": np.array([16.0])})

    def nearby(self, draw, times=1.0):
        return 1.0 + (1, -2)[draw] * EPS

    def begin(self, start):
        starts = [{"w": np.array([start * 4**step])} for step in (1, 2)]
        return SimpleNamespace(states=lambda *_, **__: starts)


def test_the_example_of_the_module():
    assert Response(FourTimes()).of(2) == [{"w": 16 * EPS}, {"w": 32 * EPS}]
    assert "response                 16e       32e  " in module.__doc__


def test_each_draw_is_taken_once():
    origin = Origin()
    response = Response(origin)
    few, many = response.of(DRAWS), response.of(MORE_DRAWS)
    assert (few[1]["w"], many[1]["w"]) == (DRAWS - 1, MORE_DRAWS - 1)
    assert response.of(DRAWS) == few  # whether or not there has been a suspicion
    assert response.of(MORE_DRAWS) == many
    assert origin.begun == [*range(MORE_DRAWS)]
    assert origin.nudged == [*range(DRAWS, MORE_DRAWS)]


def test_the_first_draw_may_be_taken_as_a_run():
    origin = Origin()
    response = Response(origin)
    assert [state["w"][0] for state in response.first_draw()] == [1.0, 1.0]
    assert response.of(GLANCE) == Response(Origin()).of(GLANCE)
    response.of(DRAWS)
    assert origin.begun == [*range(DRAWS)]


def test_what_one_ulp_does_not_move_is_looked_at_from_further_away():
    origin = Origin(far=(1.25, 100.0))
    response = Response(origin)
    assert response.of(DRAWS)[0] == {"w": EPS}
    assert response.of(MORE_DRAWS) == [{"w": 0.25}, {"w": MORE_DRAWS - 1.0}]
    assert origin.distances == [1.0] * MORE_DRAWS + [FAR_ULPS["float64"]] * FAR_DRAWS


def test_nothing_is_nudged_where_something_is_compiled():
    origin = Origin(compiles=True)
    Response(origin).of(MORE_DRAWS)
    assert not origin.nudged


def test_another_origin_begins_with_the_draws_from_here():
    here, there = Origin(), Origin()
    response = Response(here).at(there)
    assert response.of(GLANCE) == Response(Origin()).of(GLANCE)
    assert here.begun == [0]
    assert response.of(DRAWS) == Response(here).of(DRAWS)
    assert not there.begun
    response.of(MORE_DRAWS)
    assert there.begun == [*range(DRAWS, MORE_DRAWS)]


def test_another_run_may_respond_more():
    states = [{"w": np.array([1.0])}] * 2
    near = [[{"w": np.array([1.5])}, {"w": np.array([100.0])}]]
    moved = Response(Origin()).with_another(states, near).of(MORE_DRAWS)
    assert moved == [{"w": 0.5}, {"w": 99.0}]
