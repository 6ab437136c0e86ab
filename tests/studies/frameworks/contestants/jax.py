"""JAX: the same compiled functions, on arrays made once."""

from __future__ import annotations

from collections.abc import Iterator

import jax
import jax.numpy as jnp
from jax import Array

from symmetry.experiment.data.dataset import Dataset
from symmetry.steps.builtin.jax import Weights, differentiate, predict, update
from symmetry.units.compare import Floats
from tests.studies.frameworks.contestants import Iteration


def contestant(data: Dataset, w1: Floats, w2: Floats, lr: float) -> Iterator[Iteration]:
    """Train by the same functions, on arrays made once; reading the results waits for them."""
    weights: Weights = (jnp.array(w1), jnp.array(w2))
    x, test_x = (jnp.array(a, dtype=w1.dtype) for a in (data.train_x, data.test_x))
    y = jax.nn.one_hot(jnp.array(data.train_labels), data.classes, dtype=w1.dtype)
    test_labels = jnp.array(data.test_labels)
    _, gradients = differentiate(weights, x, y)
    while True:
        weights = update(weights, gradients, lr)
        loss, gradients = jax.block_until_ready(differentiate(weights, x, y))
        correct = int(count_correct(weights, test_x, test_labels))
        yield Iteration(float(loss), correct, *weights)


@jax.jit
def count_correct(weights: Weights, x: Array, labels: Array) -> Array:
    """Return how many samples are classified as labelled."""
    return jnp.sum(jnp.argmax(predict(weights, x), axis=1) == labels)
