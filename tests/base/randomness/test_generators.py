"""The random generators that all code shares: seeded as people seed them, and put back."""

from __future__ import annotations

import random
import traceback

import numpy as np
import pytest
import torch

from symmetry.base.randomness.generators import (
    RandomStates,
    kept,
    seed_all,
    set_states,
    shared,
    states_of,
)


def drawn():
    return random.random(), float(np.random.random()), float(torch.rand(1))


def test_a_seed_gives_the_numbers_that_it_gives_each_library():
    random.seed(7)
    np.random.seed(7)
    torch.manual_seed(7)
    expected = drawn()
    seed_all(7)
    assert drawn() == expected
    seed_all(8)
    assert drawn() != expected


@pytest.mark.skipif(torch.version.cuda is not None, reason="its PyTorch is for CPUs and GPUs")
def test_pytorch_for_cpus_notes_no_stack_for_other_devices(monkeypatch):
    monkeypatch.setattr(traceback, "format_stack", None)
    seed_all(7)


def test_generators_are_left_as_they_were():
    seed_all(0)
    expected = drawn()
    seed_all(0)
    own = np.random.default_rng(0)
    first = own.random()
    set_states([own], states_of([np.random.default_rng(0)]))
    with kept(shared()), kept([own]):
        drawn()
        assert own.random() == first
    assert own.random() == first
    assert drawn() == expected


def test_a_run_goes_on_with_its_own_numbers():
    seed_all(0)
    expected = [drawn(), drawn()]
    seed_all(0)
    states = RandomStates(states_of(shared()))
    with states.own():
        first = drawn()
    seed_all(5)
    with states.own():
        second = drawn()
    assert [first, second] == expected
    states.reseed(0)
    with states.own():
        assert drawn() == expected[0]
