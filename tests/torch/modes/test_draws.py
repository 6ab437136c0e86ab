"""What a step draws for each sample moves along with the samples; what chooses samples does not."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from symmetry.torch.modes.draws import SampleDraws
from symmetry.torch.modes.scope import ModuleScope

SAMPLES = 6
ORDER = np.array([3, 0, 5, 1, 4, 2])


def drawn(draw, order=ORDER, *, paused=False):
    """Return what is drawn, as a list, and whether all of it could be put in order."""
    torch.manual_seed(0)
    draws = SampleDraws(SAMPLES, order, ModuleScope(nn.Linear(1, 1)))
    draws.paused = paused
    with draws:
        result = draw()
    return result.tolist(), [*draws.seen.values()]


FOLLOW = {
    "noise": lambda: torch.randn(SAMPLES, 2),
    "along another axis": lambda: torch.rand(2, SAMPLES),
    "in place": lambda: torch.empty(SAMPLES).uniform_(),
    "of a template": lambda: torch.randn_like(torch.zeros(SAMPLES, 2)),
    "whole numbers": lambda: torch.randint(0, 3, (SAMPLES,)),
    "whole numbers of a template": lambda: torch.randint_like(torch.zeros(SAMPLES, 2), 3),
    "a mask": lambda: torch.zeros(SAMPLES, 2).bernoulli_(0.5),
}
REST = {
    "an order of the samples": lambda: torch.randperm(SAMPLES),
    "numbers of samples": lambda: torch.randint(0, SAMPLES, (SAMPLES,)),
    "by tensors of means": lambda: torch.normal(torch.arange(float(SAMPLES)), 1.0),
    "of two batches": lambda: torch.randn(2 * SAMPLES),
    "of half a batch": lambda: torch.randn(SAMPLES // 2),
    "one after the other": lambda: torch.cat([torch.rand(1) for _ in range(SAMPLES)]),
}


@pytest.mark.parametrize("draw", FOLLOW.values(), ids=FOLLOW)
def test_what_is_drawn_for_samples_follows_them(draw):
    plain, (follows,) = drawn(draw, None)
    moved, (also,) = drawn(draw)
    assert follows
    assert also
    along = [*np.shape(plain)].index(SAMPLES)
    np.testing.assert_array_equal(moved, np.take(plain, ORDER, along))


@pytest.mark.parametrize("draw", REST.values(), ids=REST)
def test_what_chooses_samples_stays_and_is_told(draw):
    moved, seen = drawn(draw)
    assert moved == drawn(draw, None)[0]
    assert seen == [False]


@pytest.mark.parametrize("shape", [(), (1,), (7,)])
def test_what_has_nothing_to_do_with_samples_is_not_looked_at(shape):
    moved, seen = drawn(lambda: torch.randn(shape))
    assert moved == drawn(lambda: torch.randn(shape), None)[0]
    assert seen == []


@pytest.mark.parametrize(("name", "seen"), [("noise", []), ("whole numbers", [True])])
def test_within_the_model_only_what_has_no_mean_is_looked_at(name, seen):
    draws = SampleDraws(SAMPLES, ORDER, scope := ModuleScope(nn.Linear(1, 1)))
    with scope.entered(), draws:
        FOLLOW[name]()
    assert [*draws.seen.values()] == seen


def test_a_batch_that_is_drawn_is_not_looked_at():
    moved, seen = drawn(FOLLOW["noise"], paused=True)
    assert (moved, seen) == (drawn(FOLLOW["noise"], None)[0], [])


def test_what_a_functional_draws_is_the_models_own():
    _, seen = drawn(lambda: nn.functional.dropout(torch.ones(SAMPLES)))
    assert seen == []


def test_one_line_that_draws_both_is_told_once():
    _, seen = drawn(lambda: [torch.randn(SAMPLES), torch.randperm(SAMPLES)][1])
    assert seen == [False]


@pytest.mark.parametrize("draws", [False, True])
def test_draws_of_other_generators_show_in_their_states(draws):
    found, random = (
        SampleDraws(SAMPLES, None, ModuleScope(nn.Linear(1, 1))),
        np.random.RandomState(0),
    )
    before = [random.get_state(), {"a": np.zeros(2)}]
    if draws:
        random.rand()
    found.see_other(before, [random.get_state(), {"a": np.zeros(2)}])
    assert found.seen == ({"by NumPy or Python": False} if draws else {})
