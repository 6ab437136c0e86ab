"""The response of an origin that answers a draw with a number of its own."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from symmetry.training import response as module
from symmetry.training.response import (
    DRAWS,
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

    def round_by(self, seed, *, closely=False):
        self.origin.rounded.append(seed)

    def states(self, steps, *, copy=True):
        if self.draw == {}:
            return [{"w": np.array([0.0])}] * steps
        return [{"w": np.array([1.0 + step * self.draw])} for step in range(steps)]


class Origin:
    """An origin that notes which runs are begun."""

    scale = {"w": 1.0}  # noqa: RUF012
    result = ({"w": np.array([1.0])}, {"w": np.array([1.0])})

    def __init__(self, *, compiles=False):
        self.begun, self.rounded = [], []
        settings = RunSettings(dtype="float64")
        self.first = SimpleNamespace(settings=settings, baseline=SimpleNamespace(compiles=compiles))

    def nearby(self, draw):
        return draw

    def begin(self, draw):
        if draw != {}:
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

    def nearby(self, draw):
        return 1.0 + (1, -2)[draw] * EPS

    def begin(self, start):
        exact = start == 1 - 2 * EPS
        first = 4 * start + (not exact) * EPS
        starts = [{"w": np.array([first])}, {"w": np.array([4 * first + 2 * (not exact) * EPS])}]
        return SimpleNamespace(states=lambda *_, **__: starts, round_by=lambda seed, closely: None)


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
    assert origin.rounded[:MORE_DRAWS] == [*range(MORE_DRAWS)]


def test_the_first_draw_may_be_taken_as_a_run():
    origin = Origin()
    response = Response(origin)
    assert [state["w"][0] for state in response.first_draw()] == [1.0, 1.0]
    assert response.of(GLANCE) == Response(Origin()).of(GLANCE)
    response.of(DRAWS)
    assert origin.begun == [*range(DRAWS)]


def test_what_is_compiled_is_compared_without_the_compiler():
    """Nothing compiles where operations are rounded: what a compiler breaks is no response."""
    origin = Origin(compiles=True)
    assert Response(origin).of(GLANCE) == [{"w": 1.0}, {"w": 1.0}]
    assert origin.rounded == [None, 0]


def test_another_origin_begins_with_the_draws_from_here():
    here, there = Origin(), Origin()
    response = Response(here).at(there)
    assert response.of(GLANCE) == Response(Origin()).of(GLANCE)
    assert here.begun == [0]
    assert response.of(DRAWS) == Response(here).of(DRAWS)
    assert not there.begun
    response.of(MORE_DRAWS)
    assert there.begun == [*range(DRAWS, MORE_DRAWS)]
