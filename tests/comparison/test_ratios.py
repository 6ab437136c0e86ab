"""Judging two sides: sides by hand, without a framework."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symmetry.comparison.ratios import judge_sides
from symmetry.comparison.side import Side, scales
from symmetry.training.observation import Observation, ObservedName
from symmetry.training.response import DRAWS, MORE_DRAWS

WEIGHT = ObservedName("update", "model.weight")
START = np.array([1.0, 2.0])


class Written(Side):
    """A side whose weights are written down, and its response to few draws or to more."""

    def __init__(self, *weights, moved=1e-6, dtype="float32", more=None, loss=1.0):
        self.name, self.dtype, self.draws = "written", dtype, "own"
        self.start = {"model.weight": START}
        self.held = frozenset(self.start)
        self.asked = []
        self._moved, self._more = moved, moved if more is None else more
        self._kept = [Observation({WEIGHT: [np.array(array)]}, loss=loss) for array in weights]

    @property
    def kept(self):
        return self._kept

    @property
    def scale(self):
        return scales(self.start, self._kept)

    def response(self, draws):
        self.asked.append(draws)
        return [{WEIGHT: self._moved if draws <= DRAWS else self._more} for _ in self._kept]


@given(st.floats(0, 29))
def test_a_deviation_is_counted_in_responses(times):
    found = judge_sides(Written([1.5, 2.5]), Written([1.5, 2.5 + times * 1e-6])).result
    assert found.ratio == pytest.approx(times, abs=1e-6)
    assert (found.step, found.array, found.threshold) == (1, "model.weight", 30)


def test_the_others_response_is_asked_for_only_where_its_own_does_not_explain():
    reference, other = Written([1.5, 2.5]), Written([1.5, 2.50002], moved=1e-4)
    assert judge_sides(reference, other).result.ratio == pytest.approx(20)
    assert not other.asked
    other = Written([1.5, 2.501], moved=1e-4)
    assert judge_sides(reference, other).result.ratio == pytest.approx(10)
    assert len(other.asked) == 1


def test_more_draws_are_taken_before_an_accusation():
    reference = Written([1.5, 2.5], more=1e-5)
    assert judge_sides(reference, Written([1.5, 2.50004])).result.ratio == pytest.approx(4)
    assert reference.asked == [DRAWS, DRAWS, MORE_DRAWS]


def test_what_deviates_has_to_deviate_from_starts_close_by_too():
    reference, other = Written([1.5, 2.5]), Written([1.5, 2.6])
    assert judge_sides(reference, other).result.ratio > 30
    kink = [(Written([1.4, 2.4]), Written([1.4, 2.4]))]
    assert judge_sides(reference, other, kink).result.ratio == 0
    still = [(Written([1.4, 2.4]), Written([1.4, 2.5]))]
    assert judge_sides(reference, other, still).result.ratio > 30


def test_the_first_step_that_deviates_is_told():
    reference = Written([1.5, 2.5], [1.6, 2.6], [1.7, 2.7])
    other = Written([1.5, 2.5], [1.6, 2.7], [1.7, 9.9])
    assert judge_sides(reference, other).result.step == 2


def test_steps_end_where_both_are_no_longer_finite():
    infinite = [1.5, math.inf]
    found = judge_sides(Written([1.5, 2.5], infinite), Written([1.5, 2.5], infinite)).result
    assert (found.ratio, found.steps) == (0, 1)
    assert found.note == "after step 2 both have numbers that are not finite (model.weight)"
    found = judge_sides(Written(infinite), Written(infinite)).result
    assert found.ratio is None
    assert found.note.startswith("cannot judge: after step 1 both have numbers that are not finite")


def test_a_number_that_is_finite_in_one_of_them_alone_is_far_away():
    assert judge_sides(Written([1.5, 2.5]), Written([1.5, math.nan])).result.ratio == math.inf


def test_what_one_ulp_moves_by_a_percent_cannot_be_judged():
    found = judge_sides(Written([1.5, 2.5], moved=0.1), Written([1.5, 2.6], moved=0.1)).result
    assert found.ratio is None
    assert found.note.startswith("cannot judge: the training is chaotic, rounding moves all")


def test_without_a_move_nothing_is_proved():
    found = judge_sides(Written(START), Written(START)).result
    assert (found.ratio, found.note) == (None, "cannot judge: nothing moves")
