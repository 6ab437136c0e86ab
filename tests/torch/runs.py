"""A small training that varies, and runs of it."""

from __future__ import annotations

import numpy as np

from symmetry.training.run import RunSettings
from symmetry.training.target import FunctionTraining


def run(make, **options):
    return FunctionTraining("training", make).begin(RunSettings(**options))


def data():
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(12, 5, generator=generator)
    return x, torch.randint(0, 3, (12,), generator=generator)


def training(make_optimizer=None, extras=None, before=lambda i: None, inner=None):
    """Return a training of a small network; the arguments vary it."""

    def make():
        import torch
        from torch import nn

        x, y = data()
        layers = [nn.Linear(5, 4), nn.Tanh(), *([inner()] if inner else []), nn.Linear(4, 3)]
        model = nn.Sequential(*layers)
        optimizer = (make_optimizer or torch.optim.Adam)(model.parameters(), 0.1)

        def step(i):
            before(i)
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x), y).backward()
            optimizer.step()

        return (model, step) if extras is None else (model, step, extras(model, optimizer))

    return make


def after(steps, make, **options):
    """Return the state after steps of a fresh run."""
    taken = run(make, **options)
    for _ in range(steps):
        taken.step()
    return taken.state()


def same(a, b):
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)
