"""JAX: a loss, its gradient by ``value_and_grad``, all of it compiled by ``jit``.

Importing this module switches JAX to 64-bit mode: without it JAX would take float64 arrays and
return float32 ones. Arrays of float32 stay what they are.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from symmetry.units.compare import Floats

__all__ = ["step"]

jax.config.update("jax_enable_x64", True)

Weights = tuple[Array, Array]


def step(x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float) -> tuple[Floats, Floats]:
    """Return the weights after one full-batch gradient step with learning rate ``lr``."""
    _, gradients = differentiate((w1, w2), x, y)
    new_w1, new_w2 = update((w1, w2), gradients, lr)
    return np.asarray(new_w1), np.asarray(new_w2)


def predict(weights: Weights, x: Array) -> Array:
    """Return the logits (n, c)."""
    w1, w2 = weights
    hidden = jax.nn.sigmoid(x @ w1[1:] + w1[0])
    return hidden @ w2[1:] + w2[0]


@jax.jit
@jax.value_and_grad
def differentiate(weights: Weights, x: Array, y: Array) -> Array:
    """Return the mean loss, and (what the decorator adds) its gradient in both weights."""
    return -jnp.mean(jnp.sum(y * jax.nn.log_softmax(predict(weights, x)), axis=1))


@jax.jit
def update(weights: Weights, gradients: Weights, lr: float) -> Weights:
    """Return ``w - lr * g`` for both weights."""
    return weights[0] - lr * gradients[0], weights[1] - lr * gradients[1]
