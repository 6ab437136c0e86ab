"""Lines that seed with another number in each run get the first one's."""

from __future__ import annotations

import random
import time

import numpy as np
import pytest
import torch

from symmetry.base.randomness.held_seeds import HeldSeeds

SEEDERS = {
    "torch": (lambda number: torch.manual_seed(number), torch.initial_seed),
    "numpy": (lambda number: np.random.seed(number), lambda: int(np.random.get_state()[1][0])),
    "python": (lambda number: random.seed(number), random.random),
}


def run(held, function, rearranged=False):
    """Return what a function returns in one run."""
    with held.of_run(lambda: rearranged)():
        return function()


@pytest.mark.parametrize(("seed", "drawn"), SEEDERS.values(), ids=SEEDERS)
def test_a_line_seeds_with_the_number_of_the_first_run(seed, drawn):
    held, numbers = HeldSeeds(), iter((3, 4))

    def seeds():
        seed(next(numbers))
        return drawn()

    first = run(held, seeds)
    assert not held.changing
    assert run(held, seeds) == first
    assert [*held.changing.values()] == [3]
    assert not held.fixed


def test_a_number_that_is_used_again_is_held_everywhere():
    held = HeldSeeds()

    def twice(number):
        torch.manual_seed(number)
        np.random.seed(7)
        torch.manual_seed(1)
        return torch.manual_seed(number).initial_seed()

    assert run(held, lambda: twice(3)) == 3
    assert run(held, lambda: twice(4)) == 3
    assert held.fixed  # the line with 7


def test_a_line_that_counts_is_left_alone():
    held = HeldSeeds()

    def counts():
        return [torch.manual_seed(number).initial_seed() for number in range(3)]

    assert run(held, counts) == run(held, counts) == [0, 1, 2]
    assert not held.changing


def test_numbers_of_rearranged_samples_are_left_alone_but_not_those_of_a_clock():
    held = HeldSeeds()

    def seeds(number):
        return torch.manual_seed(number).initial_seed()

    assert run(held, lambda: seeds(5)) == 5
    assert run(held, lambda: seeds(6), rearranged=True) == 6
    clock = HeldSeeds()
    now = int(time.time())
    assert run(clock, lambda: seeds(now - 1)) == now - 1
    assert run(clock, lambda: seeds(now), rearranged=True) == now - 1


def test_another_run_gets_the_numbers_of_an_earlier_one():
    first = HeldSeeds()

    def seeds(number):
        return torch.manual_seed(number).initial_seed()

    run(first, lambda: seeds(3))
    assert run(HeldSeeds(first.numbers), lambda: seeds(4)) == 3
