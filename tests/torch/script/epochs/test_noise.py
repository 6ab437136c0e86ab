"""Random numbers that all samples of a batch share are those that are drawn anew."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from symmetry.torch.script.epochs.noise import SharedDraws


class _Seen(TorchFunctionMode):
    def __init__(self) -> None:
        super().__init__()
        self.draws = SharedDraws()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.draws.see_function(func, args, kwargs or {}, result)
        return result


def _times(meet: Callable[[Tensor], object]) -> list[int]:
    with _Seen() as seen:
        for _ in range(3):
            meet(torch.ones(4, 5, requires_grad=True) * 2)
    return [each.times for each in seen.draws.records]


def test_noise_without_an_axis_of_the_samples_is_counted_at_each_draw() -> None:
    assert _times(lambda code: code + torch.randn(5)) == [3]
    assert _times(lambda code: torch.rand(5) * code) == [3]


@pytest.mark.parametrize("trained", [True, False])
def test_numbers_that_are_drawn_once_are_no_noise(trained) -> None:
    with _Seen() as seen:
        bias = torch.nn.Parameter(torch.empty(5)).requires_grad_(trained)
        with torch.no_grad():
            bias.normal_()
        for _ in range(3):
            _ = torch.ones(4, 5, requires_grad=True) * 2 + bias
    assert [each.times for each in seen.draws.records] == [1] * (not trained)


@pytest.mark.parametrize(
    "meet",
    [
        lambda code: code + torch.randn(4, 5),
        lambda code: code + torch.randn(1),  # a threshold for all
        lambda code: code.detach() + torch.randn(5),
        lambda code: code + torch.zeros(5),
    ],
)
def test_other_numbers_are_not_shared(meet) -> None:
    assert _times(meet) == []
