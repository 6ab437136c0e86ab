"""The weights of the terms of losses, as a backward gives them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from symmetry.observe.source_line import NOWHERE
from symmetry.torch.script.epochs.terms import LossTerms
from symmetry.training.events import Updated
from tests.torch.script.epochs.helpers import run

ACCUMULATED = """
for i, (x, y) in enumerate(loader):
    scores = model(x)
    loss = nn.functional.cross_entropy(scores, y)
    loss = loss / 4
    loss.backward()
    if i % 4 == 3:
        optimizer.step()
        optimizer.zero_grad()
"""


def seen(loss, scale=1.0):
    recorder = LossTerms()
    recorder._next_scale = scale
    with recorder.weighed([loss], NOWHERE) as terms:
        loss.backward()
    return {each.operation: each for each in terms}


@pytest.fixture
def x():
    return torch.randn(3, 4, 5, dtype=torch.float64, requires_grad=True)


LABELS = torch.tensor([[1, 2, -100, 0]] * 3)


def by_hand(x):
    picked = -x.log_softmax(-1).gather(-1, LABELS.clamp(0)[..., None]).squeeze(-1)
    mask = (LABELS >= 0).double()
    return (picked * mask).sum() / mask.sum()


@pytest.mark.parametrize(
    "loss",
    [
        lambda x: functional.cross_entropy(x.flatten(0, 1), LABELS.flatten()),
        lambda x: functional.cross_entropy(x.mT, LABELS, label_smoothing=0.1),
        by_hand,
        lambda x: functional.cross_entropy(x[LABELS >= 0], LABELS[LABELS >= 0]),
        lambda x: functional.nll_loss(x.log_softmax(-1).mT, LABELS, reduction="sum") / 9,
    ],
)
def test_each_token_of_a_mean_weighs_one_by_their_number(x, loss):
    (terms,) = seen(loss(x)).values()
    assert (terms.operation, terms.kind) == ("LogSoftmax", "likelihood")
    assert terms.count == 9
    assert terms.are_equal
    assert np.isclose(terms.total, 1)


@pytest.mark.parametrize("penalty", [lambda x: x.logsumexp(-1).pow(2), lambda x: x.abs()])
def test_the_size_of_a_number_is_no_distance(x, penalty):
    (terms,) = seen(penalty(x).mean()).values()
    assert terms.kind == "other"


@pytest.mark.parametrize(
    ("loss", "total"),
    [
        (lambda x: functional.mse_loss(x, torch.ones_like(x)) / 4, 1 / 4),
        (lambda x: functional.mse_loss(x, torch.ones_like(x), reduction="sum"), 60),
        (lambda x: 0.5 * (x - 1).pow(2).mean(), 1 / 2),
        (lambda x: functional.l1_loss(x, torch.ones_like(x)), 1),
    ],
)
def test_each_entry_of_a_distance_is_a_term(x, loss, total):
    (terms,) = seen(loss(x)).values()
    assert (terms.kind, terms.count) == ("distance", 60)
    assert terms.are_equal
    assert np.isclose(terms.total, total)


def test_a_loss_times_a_learned_weight_is_a_product(x):
    scale = torch.zeros(2, requires_grad=True)
    loss = by_hand(x) * (-scale[0]).exp() + x.square().mean() / (2 * scale[1].exp())
    assert {terms.kind for terms in seen((loss + scale.sum()) / 2).values()} == {"product"}
    apart = x - 1
    (squares,) = seen((apart * apart).mean()).values()
    assert squares.kind == "distance"


def test_what_a_ratio_reads_as_well_weighs_what_its_likelihood_gives_it(x):
    likelihoods = x.log_softmax(-1)[..., 0]
    ratio = (likelihoods - likelihoods.detach()).exp()
    policy = -torch.min(ratio * 2, ratio.clamp(0.8, 1.2) * 2).mean()
    found = seen(policy - 0.1 * likelihoods.mean())
    assert {name: round(terms.total, 9) for name, terms in found.items()} == {
        "Minimum": 1,
        "LogSoftmax": 0.1,
    }


def test_probabilities_and_parameters_are_no_terms(x):
    assert not seen(x.softmax(-1).mean() + x.sum())


def test_the_scale_of_a_scaler_is_left_out(x):
    (terms,) = seen(1024 * by_hand(x), scale=1024.0).values()
    assert np.isclose(terms.total, 1)


def test_gradients_that_are_multiplied_before_the_update_are_seen(folder):
    text = ACCUMULATED.replace(
        "        optimizer.step()",
        """        for p in model.parameters():
            p.grad *= 3
        optimizer.step()""",
    )
    factors = [event.factors for event in run(folder, text).of(Updated)]
    assert np.allclose(factors, 3)
