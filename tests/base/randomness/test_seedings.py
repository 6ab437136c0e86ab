"""The numbers that generators are seeded with are known by line."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import symmetry
from symmetry.base.randomness.generators import kept, shared
from symmetry.base.randomness.held_seeds import HeldSeeds
from symmetry.base.randomness.seedings import changing, seedings, unseeded

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


def test_what_this_package_seeds_below_a_line_is_not_seeded_by_the_line() -> None:
    ours = Path(symmetry.__file__).parent / "watching.py"
    watch: dict[str, Any] = {"random": random, "np": np}
    exec(compile("def see(): random.Random(3); np.random.seed(3)", ours, "exec"), watch)
    held = HeldSeeds()
    with kept(shared()), seedings() as found, held.of_run()():
        watch["see"]()
        assert not found
        assert not held.fixed
        random.seed(4)
    assert found
    assert held.fixed


def test_nothing_is_replaced_afterwards() -> None:
    before = torch.manual_seed, np.random.seed, random.Random.seed
    with seedings() as found:
        assert torch.manual_seed is not before[0]
    assert (torch.manual_seed, np.random.seed, random.Random.seed) == before
    torch.manual_seed(1)
    assert found == {}


@pytest.mark.parametrize(
    ("run", "libraries"),
    [
        (lambda: None, []),
        (lambda: torch.rand(2), ["PyTorch"]),
        (lambda: (np.random.permutation(4), torch.randperm(4)), ["NumPy", "PyTorch"]),
        (lambda: (np.random.seed(3), np.random.permutation(4)), []),
        (lambda: (torch.manual_seed(3), torch.rand(2), np.random.rand()), ["NumPy"]),
        (lambda: np.random.default_rng(0).normal(), []),
        (lambda: random.random(), []),
    ],
)
def test_libraries_that_are_drawn_from_and_never_seeded_are_named(run, libraries) -> None:
    with kept(shared()):
        with unseeded() as found:
            run()
        assert found == libraries
