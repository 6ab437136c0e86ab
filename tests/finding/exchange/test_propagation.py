"""Endings of exchanges that are known."""

from __future__ import annotations

import pytest

from symmetry.finding.exchange.propagation import Endings, Stuck

LEAVES = {0: ((0, ((0, 1),), ()),)}
SOLUTION = {"w": LEAVES[0]}, False


def test_an_exchange_ends_as_one_with_the_same_actions_of_leaves():
    endings = Endings()
    assert endings.find(LEAVES, 5) is None
    endings.add([(LEAVES, 100)], SOLUTION, work=20)
    assert endings.find(dict(LEAVES), 2000) == SOLUTION
    assert endings.find({1: LEAVES[0]}, 5) is None


def test_a_failure_is_raised_again():
    endings, stuck = Endings(), Stuck(3)
    endings.add([(LEAVES, 100)], stuck, work=20)
    with pytest.raises(Stuck) as raised:
        endings.find(LEAVES, 2000)
    assert raised.value is stuck


def test_an_exchange_with_more_work_than_one_that_used_it_up_is_tried_again():
    endings = Endings()
    endings.add([(LEAVES, 100)], Stuck(3), work=0)
    assert endings.find(LEAVES, 101) is None
    with pytest.raises(Stuck):
        endings.find(LEAVES, 100)
