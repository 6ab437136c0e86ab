"""Custom functions whose backward is right, or is another than the derivative on purpose."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd import Function

from tests.sound.trainings import models
from tests.sound.trainings.models import labels, numbers
from tests.sound.trainings.nearly import nearly
from tests.sound.trainings.steps import classify, plain


class Applied(nn.Module):
    """A custom function as an activation."""

    def __init__(self, function: type[Function]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.function.apply(x)
        return out


class OneLayer(nn.Module):
    """One hidden layer, for forwards that call a custom function with more than one argument."""

    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.out = nn.Linear(6, 8), nn.Linear(8, 4)


def trained(model: nn.Module) -> Any:
    """Return a training of a classifier."""
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    return plain(model, optimizer, lambda i: classify(model, i))


def activated(function: type[Function]) -> Any:
    """Return a training whose hidden layers have a custom function as their activation."""
    return trained(models.MLP(Applied(function)))


@nearly("model/functions")
def swish_that_saves_its_input_alone() -> Any:
    class Swish(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x * torch.sigmoid(x)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            gate = torch.sigmoid(x)
            return grad * gate * (1 + x * (1 - gate))

    return activated(Swish)


@nearly("model/functions")
def slope_of_relu_at_its_kink() -> Any:
    class Leaky(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return torch.where(x > 0, x, 0.1 * x)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return torch.where(x >= 0, grad, 0.1 * grad)

    return activated(Leaky)


@nearly("model/functions", "vacuous")
def weights_are_binarised_straight_through() -> Any:
    class Sign(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            ctx.save_for_backward(x)
            return x.sign()

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return grad * (x.abs() <= 1)

    return activated(Sign)


@nearly("model/functions", "vacuous")
def spikes_have_a_surrogate_gradient() -> Any:
    class Spike(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> tuple[Tensor, Tensor]:
            ctx.save_for_backward(x)
            spike = (x > 0).to(x.dtype)
            return spike, x - spike

        @staticmethod
        def backward(ctx: Any, grad: Tensor, rest: Tensor) -> Tensor:
            (x,) = ctx.saved_tensors
            return grad / (1 + 10 * x.abs()) ** 2 + rest

    class Spiking(OneLayer):
        def forward(self, x: Tensor) -> Tensor:
            spike, rest = Spike.apply(self.fc1(x))
            out: Tensor = self.out(spike + 0.1 * rest)
            return out

    return trained(Spiking())


@nearly("model/functions", "vacuous")
def gradient_is_reversed() -> Any:
    class Reverse(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor) -> Tensor:
            return x.view_as(x)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> Tensor:
            return -0.3 * grad

    return activated(Reverse)


@nearly("model/functions", "vacuous")
def errors_come_back_by_fixed_random_weights() -> Any:
    class Feedback(Function):
        @staticmethod
        def forward(ctx: Any, x: Tensor, w: Tensor, back: Tensor) -> Tensor:
            ctx.save_for_backward(x, back)
            return x @ w

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
            x, back = ctx.saved_tensors
            return grad @ back, x.T @ grad, None

    class Aligned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc1 = nn.Linear(6, 8)
            self.w = nn.Parameter(torch.randn(8, 4))
            self.register_buffer("back", torch.randn(4, 8))

        def forward(self, x: Tensor) -> Tensor:
            out: Tensor = Feedback.apply(torch.tanh(self.fc1(x)), self.w, self.back)
            return out

    return trained(Aligned())


@nearly("model/functions")
def loss_counts_on_a_gradient_of_one() -> Any:
    class Entropy(Function):
        @staticmethod
        def forward(ctx: Any, logits: Tensor, target: Tensor) -> Tensor:
            ctx.save_for_backward(logits, target)
            return F.cross_entropy(logits, target)

        @staticmethod
        def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
            logits, target = ctx.saved_tensors
            hot = F.one_hot(target, logits.shape[1])
            return (logits.softmax(1) - hot) / len(logits), None

    model = models.MLP()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def loss(i: int) -> Tensor:
        out: Tensor = Entropy.apply(model(numbers(12, 6, seed=i)), labels(12, 4, seed=i))
        return out

    return plain(model, optimizer, loss)
