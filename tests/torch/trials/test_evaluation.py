"""Dropout and running statistics that are active, with what decides on them."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.distributions import Normal

from symmetry.torch.trials.evaluation import Acting, Draws
from symmetry.torch.watch.functions import FunctionCalls
from symmetry.torch.watch.operations import Recorder

X = torch.ones(4, 2, 3)


class Dropping(nn.Module):
    """A module that keeps a layer where ``train()`` does not reach it."""

    def __init__(self):
        super().__init__()
        self.layers = [nn.Dropout(0.5)]
        self.layer = nn.Dropout(0.5)
        self.options = {"training": True}

    def by_default(self):
        F.dropout(X, 0.5)

    def by_name(self):
        F.dropout(
            X,
            p=0.5,
            training=self.training,
        )

    def by_position(self):
        F.dropout1d(X, 0.5, True)

    def by_options(self):
        F.dropout(X, 0.5, **self.options)

    def by_a_layer(self):
        self.layer(X)

    def by_a_listed_layer(self):
        self.layers[0](X)

    def by_a_new_layer(self):
        nn.AlphaDropout(0.1)(X)

    def by_attention(self):
        F.scaled_dot_product_attention(X, X, X, dropout_p=0.1)

    def by_nothing(self):
        F.dropout(X, 0.0)
        F.dropout(X, 0.5, training=False)
        F.scaled_dot_product_attention(X, X, X)


@pytest.mark.parametrize(
    ("method", "found"),
    [
        ("by_default", ("dropout", "function")),
        ("by_name", ("dropout", "named")),
        ("by_position", ("dropout", "named")),
        ("by_options", ("dropout", "named")),
        ("by_a_layer", ("dropout", "named")),
        ("by_a_listed_layer", ("dropout", "module")),
        ("by_a_new_layer", ("dropout", "module")),
        ("by_attention", ("attention", "function")),
    ],
)
def test_dropout_is_seen_with_its_cause_and_line(method, found):
    model = Dropping()
    seen = Acting(model.modules())
    with FunctionCalls(seen):
        getattr(model, method)()
    (active,) = seen.found
    assert (active.kind, active.cause) == found
    code = getattr(Dropping, method).__code__
    assert active.place.file == __file__
    assert code.co_firstlineno < active.place.line <= code.co_firstlineno + 5


def test_what_is_off_is_not_seen():
    model = Dropping()
    seen = Acting(model.modules())
    with FunctionCalls(seen):
        model.by_nothing()
    assert not seen.found


def test_statistics_count_if_they_are_written():
    x, mean, var = torch.randn(4, 3), torch.zeros(3), torch.ones(3)
    seen = Acting(())
    with FunctionCalls(seen):
        F.batch_norm(x, None, None, training=True)
        F.batch_norm(x, mean, var)
    assert not seen.found
    with FunctionCalls(seen):
        F.batch_norm(x, mean, var, training=True)
    assert [active.kind for active in seen.found] == ["statistics"]


def test_lines_that_draw_are_noted():
    draws = Draws()
    with Recorder(draws):
        torch.ones(2)
        torch.randn(2)
    (place,) = draws.found
    assert place.source == "torch.randn(2)"


@pytest.mark.parametrize(
    ("draw", "is_code"),
    [
        (lambda mean, log: mean + torch.randn_like(mean) * log.exp(), True),
        (lambda mean, log: torch.randn_like(mean).mul(torch.exp(0.5 * log)).add_(mean), True),
        (lambda mean, log: Normal(mean, F.softplus(log) + 1e-3).rsample(), True),
        (lambda mean, log: mean + 0.1 * torch.randn_like(mean), False),
        (lambda mean, log: mean * (1 + 0.1 * torch.randn_like(mean)), False),
        (lambda mean, log: mean.exp() + torch.randn_like(mean), False),
    ],
)
def test_a_code_is_drawn_in_a_scale_that_is_computed(draw, is_code):
    draws = Draws()
    with Recorder(draws):
        draw(torch.randn(4, 3), torch.randn(4, 3))
    assert any(draws.found.values()) is is_code
