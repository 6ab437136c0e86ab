"""Comparing a training in PyTorch with its port to JAX."""

from __future__ import annotations

import pytest

from symmetry import compare
from tests.conftest import needs

pytestmark = needs("jax")

SAMPLES, INPUTS, WIDTH = 4, 5, 6


def batch(step):
    import numpy as np

    return np.random.default_rng(step).standard_normal((SAMPLES, INPUTS), np.float32)


def original():
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.norm = nn.Linear(INPUTS, WIDTH), nn.LayerNorm(WIDTH, eps=1e-5)
            self.head = nn.Linear(WIDTH, 1)

        def forward(self, x):
            return self.head(nn.functional.gelu(self.norm(self.fc(x)), approximate="tanh"))

    model = Block()
    optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def step(x):
        optimizer.zero_grad()
        loss = (model(torch.as_tensor(x)) ** 2).mean()
        loss.backward()
        optimizer.step()
        return loss

    return model, step, {"batch": lambda i: torch.as_tensor(batch(i))}


def port(epsilon=1e-5):
    import jax
    import jax.numpy as jnp

    def linear(p, x):
        return x @ p["weight"].T + p["bias"]

    def normalized(p, x):
        x = x - x.mean(-1, keepdims=True)
        variance = (x**2).mean(-1, keepdims=True)
        return x / jnp.sqrt(variance + epsilon) * p["weight"] + p["bias"]

    def loss(params, x):
        hidden = jax.nn.gelu(normalized(params["norm"], linear(params["fc"], x)))
        return (linear(params["head"], hidden) ** 2).mean()

    def step(params, x):
        value, gradients = jax.value_and_grad(loss)(params, x)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), value

    shapes = {"fc": (WIDTH, INPUTS), "norm": (WIDTH,), "head": (1, WIDTH)}
    params = {
        name: {"weight": jnp.ones(shape), "bias": jnp.zeros(shape[0])}
        for name, shape in shapes.items()
    }
    return params, step, {"batch": batch}


def test_a_sound_port_is_the_same_in_both_precisions():
    (other,) = compare(original, port).others
    assert other.same, other
    assert [result.dtype for result in other.results] == ["float32", "float64"]


def test_another_epsilon_is_another_training():
    (other,) = compare(original, lambda: port(1e-3)).others
    assert other.same is False
    assert other.first.step == 1


@pytest.mark.parametrize("training", [original, port])
def test_within_a_framework_both_are_judged(training):
    (other,) = compare(training, training).others
    assert other.same
    assert [result.dtype for result in other.results] == ["float32", "float64"]
