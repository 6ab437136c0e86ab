"""What a step reads beside its forward: fixed numbers, noise, and weights that are projected."""

from __future__ import annotations

import re

import pytest

from symmetry.checker.plan import plan_check
from symmetry.targets.training import Training
from tests.conftest import needs

pytestmark = needs("torch")

LAW = ("symmetry/permutation", "symmetry/clones")


def feedback(after=lambda model: None):
    """Return a training whose backward hands errors on through matrices that are fixed at random.

    ``after`` is called with the model after each backward.
    """

    def make():
        import torch
        from torch import nn

        class Product(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x, weight, back):
                ctx.save_for_backward(x, back)
                return x @ weight.T

            @staticmethod
            def backward(ctx, gradient):
                x, back = ctx.saved_tensors
                return gradient @ back, gradient.T @ x, None

        class Layer(nn.Module):
            def __init__(self, inputs, outputs):
                super().__init__()
                self.weight = nn.Parameter(torch.randn(outputs, inputs))
                self.register_buffer("back", torch.randn(outputs, inputs))

            def forward(self, x):
                return Product.apply(x, self.weight, self.back)

        model = nn.Sequential(Layer(5, 6), nn.Tanh(), Layer(6, 3))
        return stepping(model, lambda _: after(model))

    return make


def beside(change):
    """Return a training; ``change`` is called with the model and returns what follows a backward.

    It may return more: a function that follows the update, and the name of the optimiser.
    """

    def make():
        from torch import nn

        model = nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3))
        found = change(model)
        return stepping(model, *(found if isinstance(found, tuple) else (found,)))

    return make


def stepping(model, before=lambda i: None, after=lambda i: None, name="SGD"):
    import torch

    optimizer = getattr(torch.optim, name)(model.parameters(), 0.1)

    def step(i):
        generator = torch.Generator().manual_seed(i)
        x = torch.randn(12, 5, generator=generator).to(next(model.parameters()).dtype)
        y = torch.randint(0, 3, (12,), generator=generator)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(model(x), y).backward()
        before(i)
        optimizer.step()
        after(i)

    return model, step


def last_row_is_halved(model):
    for parameter in model.parameters():
        parameter.grad[-1] *= 0.5


def anchored(model):
    anchors = [parameter.detach().clone() for parameter in model.parameters()]

    def pull(_):
        for parameter, anchor in zip(model.parameters(), anchors, strict=True):
            parameter.grad.add_(parameter.detach() - anchor, alpha=0.1)

    return pull


def scaled_rows(model):
    import torch

    scale = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.5, 0.5])[:, None]
    return lambda _: model[0].weight.grad.mul_(scale)


def noisy(model):
    import torch

    def add(i):
        generator = torch.Generator().manual_seed(i + 100)
        with torch.no_grad():
            for parameter in model.parameters():
                noise = torch.empty_like(parameter).normal_(generator=generator)
                parameter.add_(noise.mul_(1e-3))

    return add, lambda _: None


def noisy_gradients(model):
    import torch

    def add(_):
        for parameter in model.parameters():
            noise = torch.normal(0.0, 1e-3, parameter.shape)
            parameter.grad += noise.to(parameter.dtype)

    return add, lambda _: None, "Adam"


def noisy_and_halved(model):
    add, _ = noisy(model)
    return lambda i: (add(i), last_row_is_halved(model))


def clipped(model):
    def clip(_):
        for parameter in model.parameters():
            parameter.data.clamp_(-0.05, 0.05)

    return lambda _: None, clip


def pruned_more_and_more(model):
    def prune(i):
        size = model[0].weight.data.abs()
        model[0].weight.data.mul_(size > size.flatten().kthvalue(i + 1).values)

    return lambda _: None, prune


def shrunk_after_a_while(model):
    def shrink(i):
        if i > 0:
            model[0].weight.data.mul_(0.999)

    return lambda _: None, shrink


def verdicts(make, *only):
    found = plan_check(Training("training", make), only=only).run()
    return {(v.invariant, v.dtype): v for v in found.verdicts}, found.notes


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (feedback(), r"model\.2\.back \(read at test_beside\.py:\d+\) and 1 more tell units apart"),
        (beside(anchored), r"a fixed tensor of shape .* named in extras as its parameter is"),
    ],
    ids=["by the backward", "by the update"],
)
def test_fixed_numbers_that_no_forward_reads_leave_nothing_to_judge(make, named):
    found, _ = verdicts(make, *LAW)
    assert {verdict.kind for verdict in found.values()} == {"vacuous"}
    for verdict in found.values():
        assert "cannot judge" in verdict.message
        assert re.search(named, verdict.message)


@pytest.mark.parametrize(
    "make",
    [feedback(last_row_is_halved), beside(scaled_rows), beside(noisy_and_halved)],
    ids=["beside fixed numbers", "a mask that marks rows", "beside noise"],
)
def test_what_they_do_not_explain_is_accused_as_ever(make):
    found, _ = verdicts(make, *LAW)
    assert {verdict.kind for verdict in found.values()} == {"violated"}


@pytest.mark.parametrize("change", [noisy, noisy_gradients])
def test_noise_that_a_step_draws_is_left_out(change):
    found, notes = verdicts(beside(change), *LAW, "training/zero-rate")
    assert {verdict.kind for verdict in found.values()} <= {"holds", "rounding"}
    assert any("noise is drawn beside the model (test_beside.py:" in note for note in notes)


@pytest.mark.parametrize("change", [clipped, pruned_more_and_more])
def test_weights_that_are_clipped_or_pruned_are_not_accused(change):
    found, _ = verdicts(beside(change), "training/zero-rate")
    (verdict,) = found.values()
    assert verdict.kind == "vacuous"
    assert "moves in step 1 alone, or to zero: clipped or pruned?" in verdict.message


def test_what_goes_on_moving_at_a_rate_of_zero_is_accused():
    found, _ = verdicts(beside(shrunk_after_a_while), "training/zero-rate")
    (verdict,) = found.values()
    assert verdict.kind == "violated"
    assert "in step 2 model.0.weight" in verdict.message
