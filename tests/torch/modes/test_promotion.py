"""Means instead of noise, and float64 instead of fewer bits, operation by operation."""

from __future__ import annotations

import pytest

from symmetry.training.run import RunSettings


def performed(operation, *, promote=False, noise=False, inside=True):
    """Return what an operation results in, and the names of random operations that were seen."""
    import torch

    from symmetry.torch.modes.promotion import Promotion
    from symmetry.torch.modes.scope import ModuleScope

    seen = []
    watch = ModuleScope(torch.nn.Sequential(torch.nn.Linear(1, 1), torch.nn.ReLU()))
    settings = RunSettings(dtype="float64" if promote else "float32", noise=noise)
    mode = Promotion(watch, lambda name, *_: seen.append(name), settings)
    watch.depth = int(inside)
    with mode:
        return operation(torch), seen


@pytest.mark.parametrize(
    ("operation", "mean"),
    [
        (lambda t: t.empty(2).bernoulli_(0.25), 0.25),
        (lambda t: t.bernoulli(t.full((2,), 0.25)), 0.25),
        (lambda t: t.normal(t.full((2,), 3.0), 1.0), 3.0),
        (lambda t: t.empty(2).normal_(2.0, 1.0), 2.0),
        (lambda t: t.empty(2).uniform_(1.0, 3.0), 2.0),
        (lambda t: t.empty(2).exponential_(4.0), 0.25),
        (lambda t: t.randn(2), 0.0),
        (lambda t: t.rand_like(t.zeros(2)), 0.5),
        (lambda t: t.native_dropout(t.full((2,), 7.0), 0.5, True)[0], 7.0),
    ],
)
def test_what_is_drawn_is_replaced_by_its_mean(operation, mean):
    result, seen = performed(operation)
    assert result.tolist() == [mean] * 2
    assert len(seen) == 1


def test_what_is_drawn_outside_of_modules_is_data():
    result, seen = performed(lambda t: t.rand(50), inside=False)
    assert result.unique().numel() > 1
    assert seen == []


def test_noise_may_stay_and_is_seen():
    result, seen = performed(lambda t: t.rand(50), noise=True)
    assert result.unique().numel() > 1
    assert seen == ["rand"]


def test_everything_with_fewer_bits_becomes_float64_and_whole_numbers_stay():
    def operation(torch):
        return torch.ones(2).bfloat16() + 0.1, torch.arange(2) + 1

    (floats, whole), _ = performed(operation, promote=True)
    assert str(floats.dtype) == "torch.float64"
    assert floats.tolist() == [1.1, 1.1]
    assert str(whole.dtype) == "torch.int64"


def test_a_number_that_float32_cannot_hold_is_made_in_float64():
    def operation(torch):
        return torch.full((), torch.finfo(torch.float64).min)

    result, _ = performed(operation, promote=True)
    assert str(result.dtype) == "torch.float64"
    assert result.item() == -1.7976931348623157e308


def test_data_that_become_a_part_of_the_graph_are_promoted():
    import torch

    third = torch.tensor(1 / 3, dtype=torch.float64)
    weight = torch.ones(2, dtype=torch.float64, requires_grad=True)
    total, seen = torch.zeros(2), torch.zeros(2)  # as they are made before a run begins

    def operation(torch):
        nonlocal total
        total += weight * third
        with torch.no_grad():
            seen.add_(weight)
        total.square().sum().backward()

    performed(operation, promote=True)
    assert total.dtype == weight.grad.dtype == torch.float64
    assert weight.grad.tolist() == [2 * third.item() ** 2] * 2
    assert seen.dtype == torch.float32


def test_a_graph_that_is_older_than_the_run_gets_gradients_in_its_own_dtype():
    def work(torch):
        (older.to(torch.float64) * 2).sum().backward()
        return leaf.grad

    import torch

    leaf = torch.zeros(3, requires_grad=True)
    older = leaf + 1
    gradient, _ = performed(work, promote=True)
    assert gradient.dtype == torch.float32
    assert gradient.tolist() == [2.0] * 3


def test_a_derivative_by_a_tensor_that_is_older_than_the_run_is_one_in_float64():
    import torch

    from symmetry.torch.modes.dtypes import MixedDtypes

    def work(torch):
        with MixedDtypes():
            weight = torch.ones(3, dtype=torch.float64, requires_grad=True)
            cubes = torch.stack([older, older * 2])[0] ** 3 / 3 * weight
            (slope,) = torch.autograd.grad(cubes.sum(), older, create_graph=True)
            return slope, *torch.autograd.grad(slope.sum(), older)

    older = torch.tensor([1 / 3, 2, 3], requires_grad=True) * 1
    (slope, bend), _ = performed(work, promote=True)
    exact = older.detach().double()
    assert slope.dtype == bend.dtype == torch.float64
    assert torch.allclose(slope, exact**2, rtol=1e-15, atol=0)
    assert torch.allclose(bend, 2 * exact, rtol=1e-15, atol=0)


def test_a_cast_in_a_derivative_of_ones_own_is_promoted():
    import torch

    class Rounded(torch.autograd.Function):
        @staticmethod
        def forward(_, x):
            return x * 1

        @staticmethod
        def backward(_, gradient):
            seen.append((gradient / 3).to(torch.float16).dtype)
            return gradient

    seen = []
    x = torch.ones(3, dtype=torch.float64, requires_grad=True)
    performed(lambda _: Rounded.apply(x).sum().backward(), promote=True)
    assert seen == [torch.float64]


def test_what_is_written_through_a_view_reaches_the_tensor():
    import torch

    third = torch.tensor(1 / 3, dtype=torch.float64)
    low = torch.zeros(3, 2)

    def operation(torch):
        low.data[0] = third
        low.T[1, 2:].fill_(2.0)
        (part,) = low[1].split(2)
        part[0] = -third
        return low + 0.0

    result, _ = performed(operation, promote=True)
    assert low.tolist() == result.tolist()
    assert low.dtype == torch.float32
    expected = torch.tensor([[1 / 3, 1 / 3], [-1 / 3, 0.0], [0.0, 2.0]])
    assert torch.equal(low, expected)
