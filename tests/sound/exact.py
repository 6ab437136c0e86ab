"""The network of the zoo's trainers, in NumPy, with products that treat every unit alike.

`a @ b` calls a BLAS, and a BLAS may compute neighbouring entries of one product differently: its
kernels round the last rows or columns, or every other one, in their own way. That splits hidden
units by itself, on some machines and at some sizes. A trainer that is to be sound must not do so,
and a broken trainer must be caught for what is wrong with it, not for its BLAS. So every trainer of
the zoo multiplies with `product`; what else it does is elementwise. `test_exact.py` tests that
neither makes a difference between entries, wherever they lie.

Shapes as everywhere: x (n, i), y (n, c), w1 (i + 1, h), w2 (h + 1, c).
"""

from __future__ import annotations

import numpy as np


def product(a, b):
    """Return a @ b, without a BLAS.

    Unless it is asked to optimise, einsum runs a loop of its own. With both operands laid out like
    this it adds multiples of the rows of b to the rows of the result, one row of b after the other:
    all entries of a row are computed by the same instructions, and it makes no difference how a
    matrix is divided before it is multiplied.
    """
    return np.einsum("km,kp->mp", np.ascontiguousarray(a.T), np.ascontiguousarray(b))


def prepend_bias(x):
    return np.concatenate([np.ones((len(x), 1), x.dtype), x], axis=1)


def affine(x, w):
    """Return [1, x] @ w."""
    return product(prepend_bias(x), w)


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def softmax(logits):
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def logistic(z):
    """Return the hidden layer and its slope."""
    hidden = sigmoid(z)
    return hidden, hidden * (1 - hidden)


def cross_entropy(logits, y):
    """Return the gradient of each sample's loss in its logits."""
    return softmax(logits) - y


def gradient(x, delta):
    """Return the gradient of the weights of `affine(x, w)`, given that of its result."""
    return product(prepend_bias(x).T, delta) / len(x)


def gradients(x, y, w1, w2, activation=logistic, loss=cross_entropy):
    """Return the gradients of the mean loss in w1 and in w2."""
    hidden, slope = activation(affine(x, w1))
    delta = loss(affine(hidden, w2), y)
    back = product(delta, w2[1:].T) * slope
    return gradient(x, back), gradient(hidden, delta)


def step(x, y, w1, w2, lr, activation=logistic, loss=cross_entropy):
    g1, g2 = gradients(x, y, w1, w2, activation, loss)
    return w1 - lr * g1, w2 - lr * g2
