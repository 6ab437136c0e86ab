"""An optimiser whose moments are kept in a basis of their own: no unit lies in them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.sound.trainings.models import numbers
from tests.sound.trainings.nearly import nearly


class Each(torch.optim.Optimizer):
    """Updates each parameter on its own."""

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        super().__init__(parameters, {"lr": lr})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update all parameters that have a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    update = self.update(parameter, parameter.grad)
                    parameter.add_(update, alpha=-group["lr"])

    def update(self, parameter: Tensor, gradient: Tensor) -> Tensor:
        """Return by what a parameter is updated, times the learning rate."""
        raise NotImplementedError

    def kept(self, parameter: Tensor, name: str, start: Tensor) -> Tensor:
        """Return a part of the state of a parameter, which has this start."""
        state: Tensor = self.state[parameter].setdefault(name, start)
        return state


class Soap(Each):
    """Adam in the eigenbasis of the gradients: its second moments follow no unit."""

    def update(self, parameter: Tensor, gradient: Tensor) -> Tensor:
        g = gradient if gradient.ndim == 2 else gradient[None]
        rows, columns = g.shape
        left = self.kept(parameter, "left", torch.eye(rows).to(g) * 1e-3)
        right = self.kept(parameter, "right", torch.eye(columns).to(g) * 1e-3)
        left.mul_(0.95).add_(g @ g.T, alpha=0.05)
        right.mul_(0.95).add_(g.T @ g, alpha=0.05)
        a, b = torch.linalg.eigh(left)[1], torch.linalg.eigh(right)[1]
        turned = a.T @ g @ b
        second = self.kept(parameter, "second", torch.zeros_like(turned))
        second.mul_(0.95).addcmul_(turned, turned, value=0.05)
        update: Tensor = a @ (turned / (second.sqrt() + 1e-8)) @ b.T
        return update.reshape(parameter.shape)


@nearly("symmetry/clones")
@nearly("symmetry/permutation")
def moments_in_the_basis_of_gradients() -> Any:
    model = nn.Sequential(nn.Linear(10, 12), nn.GELU(), nn.Linear(12, 8))
    optimizer = Soap(model.parameters(), 1e-3)

    def step(i: int) -> None:
        optimizer.zero_grad()
        F.mse_loss(model(numbers(8, 10, seed=2 * i)), numbers(8, 8, seed=2 * i + 1)).backward()
        optimizer.step()

    return model, step
