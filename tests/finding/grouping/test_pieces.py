"""Which exchange of two units includes which, slice by slice."""

from __future__ import annotations

import time

import pytest

from symmetry.finding.grouping.pieces import SwappedSlices
from symmetry.units.units import Part, Units

HIDDEN = Units("hidden", 4, (Part("w", 0), Part("v", 1)))
HEADS = Units("heads", 2, (Part("w", 0, stride=2, block=2), Part("v", 1, stride=2, block=2)))
IN_HEAD = Units("in a head", 2, (Part("w", 0, within=((1, 0, 3),)),))


W_ALONE = Units("hidden", 4, (Part("w", 0),))


@pytest.mark.parametrize(
    ("inner", "outer", "included"),
    [
        (SwappedSlices(HIDDEN, 0, 2), SwappedSlices(HEADS), True),
        (SwappedSlices(HIDDEN, 1, 3), SwappedSlices(HEADS), True),
        (SwappedSlices(HIDDEN, 0, 1), SwappedSlices(HEADS), False),
        (SwappedSlices(HEADS), SwappedSlices(HIDDEN, 0, 2), False),
        (SwappedSlices(W_ALONE), SwappedSlices(HIDDEN), True),
        (SwappedSlices(HIDDEN), SwappedSlices(W_ALONE), False),
        (SwappedSlices(IN_HEAD), SwappedSlices(HIDDEN), True),  # only a range of it
        (SwappedSlices(W_ALONE), SwappedSlices(IN_HEAD), False),
    ],
)
def test_one_is_included_if_the_other_swaps_all_of_its_slices(inner, outer, included):
    assert outer.include(inner) is included


def test_heads_that_are_exchanged_exchange_units_inside():
    assert SwappedSlices(HEADS).include_units(HIDDEN)
    assert not SwappedSlices(HIDDEN).include_units(HEADS)
    assert not SwappedSlices(HEADS).include_units(Units("others", 4, (Part("u", 0),)))


def test_exchanges_of_many_slices_are_compared_quickly():
    wide = Units("wide", 2, (Part("w", 0, stride=20_000, block=20_000),))
    exchange = SwappedSlices(wide)
    began = time.process_time()
    assert exchange.include(SwappedSlices(wide))
    assert time.process_time() - began < 5  # not each slice against each
