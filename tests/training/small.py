"""A small training that varies, and what a check of it came to."""

from __future__ import annotations

from symmetry.training.target import FunctionTraining
from tests.checking import check_target


def training(*, before=lambda i: None, after=lambda model: None, inner=None, extras=None):
    """Return a training of a small network; the arguments vary it."""

    def make():
        import torch
        from torch import nn

        x = torch.randn(12, 5)
        y = torch.randint(0, 3, (12,))
        layers = [nn.Linear(5, 4), nn.Tanh(), *([inner()] if inner else []), nn.Linear(4, 3)]
        model = nn.Sequential(*layers)
        optimizer = torch.optim.SGD(model.parameters(), 0.1)

        def step(i):
            before(i)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            after(model)
            optimizer.step()

        return (model, step) if extras is None else (model, step, extras())

    return make


def checked(make, **options):
    return check_target(FunctionTraining("training", make), **options)


def kinds(found):
    return {(v.invariant.partition("/")[2], v.dtype): v.kind for v in found.verdicts}
