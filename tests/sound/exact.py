"""The network of the zoo's trainers, in NumPy, with products that treat every unit alike.

`a @ b` calls a BLAS, and a BLAS may compute neighbouring entries of one product differently: its
kernels round the last rows or columns, or every other one, in their own way. That splits hidden
units by itself, on some machines and at some sizes. A trainer that is to be sound must not do so,
and a broken trainer must be caught for what is wrong with it, not for its BLAS. So every trainer of
the zoo multiplies with `product`, which is made of elementwise operations only: those compute every
entry alike, wherever it lies (`test_exact.py` tests this, for NumPy's exp as well).

Shapes as everywhere: x (n, i), y (n, c), w1 (i + 1, h), w2 (h + 1, c).
"""

from __future__ import annotations

import numpy as np

# Entries of the largest intermediate array: small enough for the cache, large enough that Python's
# own time per call hardly counts.
BLOCK = 1 << 16


def product(a, b):
    """Return a @ b. Every entry adds up its terms one after the other, from the first to the last.

    So it makes no difference either how a matrix is divided before it is multiplied.
    """
    (rows, terms), columns = a.shape, b.shape[1]
    block = max(1, BLOCK // max(1, rows * columns))
    total = np.zeros((rows, columns), a.dtype)
    for k in range(0, terms, block):
        outer = np.multiply(a.T[k : k + block, :, None], b[k : k + block, None, :], order="C")
        outer[0] += total
        total = outer.sum(axis=0)
    return total


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
