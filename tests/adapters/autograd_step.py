"""A two-layer step in autograd: ``symmetry check tests/adapters/autograd_step.py:step``."""

import autograd.numpy as np
from autograd import grad


def loss(weights, x, y):
    w1, w2 = weights
    logits = np.tanh(x @ w1[1:] + w1[0]) @ w2[1:] + w2[0]
    return np.mean(np.log(np.sum(np.exp(logits), axis=1)) - np.sum(y * logits, axis=1))


def step(x, y, w1, w2, lr):
    g1, g2 = grad(loss)((w1, w2), x, y)
    return w1 - w1.dtype.type(lr) * g1, w2 - w2.dtype.type(lr) * g2
