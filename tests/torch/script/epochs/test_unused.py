"""Results with a gradient that nothing uses, as they are seen while a block runs."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from symmetry.base.patches import patched
from symmetry.torch.graph import nodes_behind
from symmetry.torch.script.epochs.unused import UnusedResults
from symmetry.torch.watch.functions import results as functions


class Doubled(torch.autograd.Function):
    @staticmethod
    def forward(_ctx, x):
        return 2 * x

    @staticmethod
    def backward(_ctx, gradient):
        return 2 * gradient


class Raised(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mark_dirty(x)
        return x.add_(1)

    @staticmethod
    def backward(_ctx, gradient):
        return gradient


def dropped(x):
    Doubled.apply(x)


def assigned(x):
    doubled = Doubled.apply(x)
    assert doubled is not None


def left_out(x):
    F.mse_loss(x, x.detach() + 1)


def left_out_by_hand(x):
    terms = {"distance": 0.5 * (x**2).mean()}
    assert len(terms) == 1


def added(x):
    return Doubled.apply(x).sum()


def printed(x):
    assert f"{(x**2).mean():.3f}"


def read(x):
    assert (x**2).mean().item() >= 0


def compared(x):
    assert (x**2).mean() >= 0


def given_to_a_function(x):
    Doubled.apply(Doubled.apply(x)).sum().item()


def written_in_place(x):
    y = 1 * x
    Raised.apply(y)
    return y.sum()


def without_gradient(x):
    with torch.no_grad():
        (x**2).mean()
        Doubled.apply(x)


def by_a_library(x):
    checkpoint(torch.square, x, use_reentrant=True)


def kept(x):
    KEPT.append((x**2).mean())


KEPT = []
TIMES = 3


def seen(act):
    """Return what is unused where a loop calls a function, and differentiates its result."""
    updates = []
    results = UnusedResults(lambda: len(updates))
    x = torch.ones(4, requires_grad=True)
    with patched(results.patches()), functions(results.see_function):
        for number in range(TIMES):
            loss = act(x)
            updates.append(number)
            if loss is not None:
                results.reached(
                    n._sequence_nr() for n in {loss.grad_fn} | nodes_behind({loss.grad_fn}, 100)
                )
                torch.autograd.backward([loss])
    records = results.records
    KEPT.clear()
    return [(each.function, each.times, each.updates) for each in records]


@pytest.mark.parametrize("act", [dropped, assigned])
def test_a_function_whose_result_nothing_uses(act):
    assert seen(act) == [("Doubled.apply", TIMES, TIMES)]


@pytest.mark.parametrize("act", [left_out, left_out_by_hand])
def test_a_number_that_nothing_uses(act):
    assert seen(act) == [("", TIMES, TIMES)]


@pytest.mark.parametrize(
    "act",
    [
        added,
        printed,
        read,
        compared,
        given_to_a_function,
        written_in_place,
        without_gradient,
        by_a_library,
        kept,
    ],
)
def test_what_is_used_or_may_still_be(act):
    assert seen(act) == []


def test_nothing_is_said_where_a_graph_is_too_large():
    results = UnusedResults(lambda: 0)
    x = torch.ones(4, requires_grad=True)
    with functions(results.see_function):
        (x**2).mean()
    assert results.records
    results.reached(None)
    assert results.records == ()
