"""Pairs that are extended to the largest group."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest

from symmetry.finding.grouping.extension import Extension
from symmetry.finding.grouping.proof import Proof
from symmetry.units.units import Part, Units
from tests.finding.traces import network


def extension(factors, taken=()):
    """Return an extension for hidden units that are multiplied by factors."""
    trace = network((3, len(factors), 2), between=lambda h: np.tanh(h * np.array(factors)))
    places = defaultdict(set, {("w0", 1): {*taken}})
    return Extension(Proof(trace, 1e-12), places)


def pair(first=0):
    return Units("", 2, (Part("w0", 1, first), Part("b0", 0, first), Part("w1", 0, first)))


def slices(group):
    return [*group.along("w0", 1)]


@pytest.mark.parametrize("first", [0, 2, 4])
def test_a_pair_is_extended_both_ways(first):
    assert sorted(slices(extension([1] * 6).largest_group(pair(first)))) == [*range(6)]


@pytest.mark.parametrize(
    ("factors", "units"),
    [
        ([1, 1, 3, 1, 1], [0, 1, 3, 4]),
        ([1, 1, 3, 2, 1, 1], [0, 1, 4, 5]),
        ([1, 1, 1, 2, 3, 4], [0, 1, 2]),
    ],
)
def test_one_or_two_odd_units_are_left_out(factors, units):
    assert slices(extension(factors).largest_group(pair())) == units


def test_slices_before_the_pair_that_are_taken_stay_with_their_group():
    assert slices(extension([1] * 6, taken={0, 1}).largest_group(pair(2))) == [2, 3, 4, 5]


def test_a_first_unit_without_a_second_is_no_group():
    assert extension([1, 2, 3, 4]).largest_group(pair()) is None


def test_units_end_where_another_part_begins():
    halves = Units("", 2, (Part("w0", 1), Part("w0", 1, first=2)))
    assert extension([1] * 4)._capacity(halves) == 2


@pytest.mark.parametrize(
    ("factors", "proofs"),
    [([1] * 6, [6]), ([1, 1, 1, 2, 3, 4], [3, 4])],  # of sizes, in this order
)
def test_the_size_of_the_latest_group_in_as_much_room_is_tried_first(factors, proofs, monkeypatch):
    extends, tried, holds = extension(factors), [], Proof.holds
    first = extends.largest_group(pair())

    def noted(proof, units, excused=()):
        tried.append(units.count)
        return holds(proof, units, excused)

    monkeypatch.setattr(Proof, "holds", noted)
    assert extends.largest_group(pair()) == first
    assert tried == proofs
