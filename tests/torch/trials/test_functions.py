"""Custom functions that are called again: what their backward claims, and differences."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import Function

from symmetry.base.patches import patched
from symmetry.torch.trials.functions import (
    CustomFunctions,
    ReadOperations,
    applied_in_python,
)
from symmetry.torch.watch.operations import Recorder

X = torch.tensor([-1.5, 0.5, 2.0])


@pytest.mark.parametrize(
    ("forward", "why_not"),
    [
        (lambda x: x * torch.sigmoid(x), ""),
        (lambda x: torch.where(x > 0, x, 0.1 * x), ""),
        (lambda x: x * (x > 0), ""),
        (lambda x: x + torch.ones(3).round(), ""),  # what it rounds is a constant
        (torch.round, "its forward rounds, clamps or draws (round)"),
        (lambda x: x.clamp(min=0), "its forward rounds, clamps or draws (clamp)"),
        (lambda x: (x > 0).to(x), "its forward makes numbers of comparisons (_to_copy)"),
        (
            lambda x: torch.where(x > 0, torch.ones(3), torch.zeros(3)),
            "its forward makes numbers of comparisons (where)",
        ),
        (torch.special.i0e, "its forward uses special_i0e, which is not known to be smooth"),
    ],
)
def test_operations_decide(forward, why_not):
    seen = ReadOperations([X])
    with Recorder(seen):
        forward(X)
    assert seen.why_not == why_not


class Cube(Function):
    @staticmethod
    def forward(ctx, x, times):
        ctx.save_for_backward(x)
        ctx.times = times
        return times * x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return grad * 2 * ctx.times * x**2, None  # the derivative has a 3


def tried(call):
    """Return the custom functions that a call makes, tried once more."""
    functions = CustomFunctions()
    with functions.watching():
        call()
    return functions.tried()


def parameter(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0)).requires_grad_()


def test_an_apply_that_was_kept_is_seen():
    with patched(applied_in_python()):  # as while a training is made
        kept = Cube.apply
    assert [function.name for function in tried(lambda: kept(parameter(2), 1.0))] == ["Cube"]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # PyTorch's
def test_an_apply_that_was_kept_is_compiled_whole():
    with patched(applied_in_python()):
        kept = Cube.apply
    with patched(applied_in_python()):
        compiled = torch.compile(lambda x: kept(x, 2.0), backend="eager", fullgraph=True)
        assert torch.equal(compiled(parameter(3)), Cube.apply(parameter(3), 2.0))


def test_random_numbers_go_on_as_if_nothing_was_tried():
    functions = CustomFunctions()
    with functions.watching():
        Cube.apply(parameter(2), 1.0)
    before = torch.get_rng_state()
    functions.tried()
    assert torch.equal(before, torch.get_rng_state())


def test_a_function_that_cannot_be_called_again_says_why():
    class Once(Function):
        calls = 0

        @staticmethod
        def forward(ctx, x):
            Once.calls += 1
            if Once.calls > 1:
                raise ValueError("only once")
            return 2 * x

        @staticmethod
        def backward(ctx, grad):
            return 2 * grad

    (once,) = tried(lambda: Once.apply(parameter(2)))
    assert once.slopes == ()
    assert "raises when it is called again" in once.why_not
    assert "only once" in once.why_not
