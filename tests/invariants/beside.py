"""Trainings whose steps do something beside the backward and the update."""

from __future__ import annotations

from symmetry.training.target import FunctionTraining
from tests.checking import check_target


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


def noisy_by_numpy(model):
    import numpy as np
    import torch

    random = np.random.default_rng(0)

    def add(_):
        for parameter in model.parameters():
            noise = torch.from_numpy(random.normal(0, 1e-3, parameter.shape))
            parameter.grad += noise.to(parameter.dtype)

    return add


def verdicts(make, *only):
    found = check_target(FunctionTraining("training", make), only=only)
    return {(v.invariant, v.dtype): v for v in found.verdicts}, found.remarks
