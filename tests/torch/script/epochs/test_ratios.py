"""Log-ratios of models with equal parameters, as they are seen before the first update."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from symmetry.torch.script.epochs.ratios import Ratios
from symmetry.torch.watch.functions import results

IDS = torch.arange(6).reshape(2, 3)


def gathered(logits):
    return logits.log_softmax(-1).gather(2, IDS[..., None]).squeeze(2).sum(1)


def indexed(logits):
    places = torch.arange(2)[:, None], torch.arange(3)
    return F.log_softmax(logits, -1)[*places, IDS]


def by_a_loss(logits):
    return -F.cross_entropy(logits.transpose(1, 2), IDS, reduction="none")


def of_all_tokens(logits):
    return logits.log_softmax(-1)[:, :-1]


def not_normalised(logits):
    return logits.gather(2, IDS[..., None])


def seen(score, *, moved=False, updates=0, once=False):
    """Return the calls of the ratios of a policy and its reference."""
    torch.manual_seed(0)
    policy = nn.Sequential(nn.Embedding(6, 8), nn.Dropout(0.5), nn.Linear(8, 6))
    reference = copy.deepcopy(policy).eval()
    if moved:
        nn.init.zeros_(reference[2].weight)
    ratios = Ratios(lambda: updates)

    def called(number, model):
        logits = model(IDS)
        ratios.called(number, model, [logits])
        return logits

    with results(ratios.see_function):
        first = called(0, policy)
        second = first if once else called(1, reference)
        assert (score(first) - score(second)).shape[0] == 2
    return [(ratio.calls, ratio.largest > 0.01 * ratio.size > 0) for ratio in ratios.records]


@pytest.mark.parametrize("score", [gathered, indexed, by_a_loss])
def test_a_difference_of_log_probabilities_of_tokens_is_a_ratio(score):
    assert seen(score) == [((0, 1), True)]


@pytest.mark.parametrize("score", [of_all_tokens, not_normalised])
def test_other_differences_are_none(score):
    assert seen(score) == []


@pytest.mark.parametrize("facts", [{"moved": True}, {"updates": 1}, {"once": True}])
def test_models_that_differ_or_were_trained_are_not_compared(facts):
    assert seen(gathered, **facts) == []
