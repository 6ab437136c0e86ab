"""A two-layer step in Flax: ``symmetry check tests/adapters/flax_step.py:step``."""

import flax.linen as nn
import jax
import optax


def dense(w, x):
    return nn.Dense(w.shape[1]).apply({"params": {"bias": w[0], "kernel": w[1:]}}, x)


@jax.jit
@jax.grad
def gradient(weights, x, y):
    logits = dense(weights[1], nn.sigmoid(dense(weights[0], x)))
    return optax.softmax_cross_entropy(logits, y).mean()


def step(x, y, w1, w2, lr):
    g1, g2 = gradient((w1, w2), x, y)
    return w1 - lr * g1, w2 - lr * g2


step.dtypes = ("float32",)
