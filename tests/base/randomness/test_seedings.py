"""The numbers that generators are seeded with are known by line."""

from __future__ import annotations

import os
import random

import numpy as np
import pytest
import torch

from symmetry.base.randomness.seedings import changing, seedings

SEEDERS = {
    "torch": lambda number: torch.manual_seed(number),
    "numpy": lambda number: np.random.seed(number),
    "python": lambda number: random.seed(number),
    "its own": lambda number: random.Random().seed(number),
}


@pytest.mark.parametrize("seed", SEEDERS.values(), ids=SEEDERS)
def test_numbers_are_known_by_line(seed) -> None:
    with seedings() as found:
        seed(3)
    place = f"{os.path.relpath(__file__)}:{seed.__code__.co_firstlineno}"
    assert found[place][-1] == 3
    with seedings() as same:
        seed(3)
    with seedings() as other:
        seed(4)
    assert changing(found, same) == ""
    assert changing(found, other) == place


def test_nothing_is_replaced_afterwards() -> None:
    before = torch.manual_seed, np.random.seed, random.Random.seed
    with seedings() as found:
        assert torch.manual_seed is not before[0]
    assert (torch.manual_seed, np.random.seed, random.Random.seed) == before
    torch.manual_seed(1)
    assert found == {}
