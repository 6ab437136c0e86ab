"""Which exchange of two units includes which, slice by slice."""

from __future__ import annotations

import time

import pytest

from symmetry.finding.grouping.pieces import includes_units, is_included, swapped_slices
from symmetry.units.units import Part, Units

HIDDEN = Units("hidden", 4, (Part("w", 0), Part("v", 1)))
HEADS = Units("heads", 2, (Part("w", 0, stride=2, block=2), Part("v", 1, stride=2, block=2)))
IN_HEAD = Units("in a head", 2, (Part("w", 0, within=((1, 0, 3),)),))


def test_an_exchange_swaps_a_slice_of_each_part():
    assert swapped_slices(HIDDEN, 1, 3) == [("w", 0, 1, 3, ()), ("v", 1, 1, 3, ())]
    assert swapped_slices(HEADS, 0, 1)[:2] == [("w", 0, 0, 2, ()), ("w", 0, 1, 3, ())]


@pytest.mark.parametrize(
    ("inner", "outer", "included"),
    [
        (swapped_slices(HIDDEN, 0, 2), swapped_slices(HEADS, 0, 1), True),
        (swapped_slices(HIDDEN, 0, 1), swapped_slices(HEADS, 0, 1), False),
        (swapped_slices(HEADS, 0, 1), swapped_slices(HIDDEN, 0, 2), False),
        (swapped_slices(IN_HEAD, 0, 1), swapped_slices(HIDDEN, 0, 1), True),  # only a range of it
        (swapped_slices(HIDDEN, 0, 1)[:1], swapped_slices(IN_HEAD, 0, 1), False),
    ],
)
def test_one_is_included_if_the_other_swaps_all_of_its_slices(inner, outer, included):
    assert is_included(inner, outer) is included


def test_heads_that_are_exchanged_exchange_units_inside():
    exchange = swapped_slices(HEADS, 0, 1)
    assert includes_units(exchange, HIDDEN)
    assert not includes_units(swapped_slices(HIDDEN, 0, 1), HEADS)


def test_exchanges_of_many_slices_are_compared_quickly():
    wide = Units("wide", 2, (Part("w", 0, stride=20_000, block=20_000),))
    exchange = swapped_slices(wide, 0, 1)
    began = time.process_time()
    assert is_included(exchange[::-1], exchange)
    assert time.process_time() - began < 5  # not each slice against each
