"""Trainings with a custom function whose backward is not the derivative of its forward."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import Function

from tests.faulty.trainings.fault import fault
from tests.sound.trainings.functions import OneLayer, activated, trained


@fault("model/functions", wrong="the 2 of the derivative of a square is left out")
def factor_of_a_square_is_missing() -> Any:
    class Square(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return grad * x

    return activated(Square)


@fault("model/functions", wrong="the backward of swish leaves out its second term")
def second_term_of_swish_is_missing() -> Any:
    class Swish(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x * torch.sigmoid(x)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return grad * torch.sigmoid(x)

    return activated(Swish)


@fault("model/functions", wrong="the gradient of one weight is that of its neighbour")
def gradient_of_a_product_is_reversed() -> Any:
    class Scale(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, w: Tensor) -> Tensor:
            ctx.save_for_backward(x, w)
            return x * w

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
            x, w = ctx.saved_tensors
            return grad * w, (grad * x).sum(0).flip(0)

    class Scaled(OneLayer):
        def __init__(self) -> None:
            super().__init__()
            self.w = nn.Parameter(torch.randn(8))

        def forward(self, x: Tensor) -> Tensor:
            hidden = Scale.apply(torch.tanh(self.fc1(x)), self.w)
            out: Tensor = self.out(hidden)
            return out

    return trained(Scaled())


@fault("model/functions", wrong="backward of a normalisation takes the deviation for a constant")
def deviation_is_taken_for_a_constant() -> Any:
    class Normalise(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            size = x.pow(2).mean(-1, keepdim=True).add(1e-6).rsqrt()
            ctx.save_for_backward(size)
            return x * size

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (size,) = ctx.saved_tensors
            return grad * size

    return activated(Normalise)
