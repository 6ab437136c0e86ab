"""The network of "Starting Off Wrong" in plain NumPy: one short function a formula.

Made to be read beside the experiment's own listing, and the oracle of every faster version.

Shapes: ``x`` (n, i) inputs, ``y`` (n, c) one-hot labels, ``w1`` (i + 1, h) and ``w2`` (h + 1, c);
row 0 of each weight matrix belongs to the bias. Every function works in the dtype of its arguments.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Labels = NDArray[np.integer[Any]]


def prepend_bias(x: Floats) -> Floats:
    """Put a column of ones before ``x``: (n, i) becomes (n, i + 1)."""
    return np.concatenate([np.ones_like(x[:, :1]), x], axis=1)


def one_hot_encode(labels: Labels, classes: int, dtype: str) -> Floats:
    """Turn (n,) labels into (n, classes) rows with a single one."""
    y = np.zeros((len(labels), classes), dtype)
    y[np.arange(len(labels)), labels] = 1
    return y


def sigmoid(z: Floats) -> Floats:
    """Return 1 / (1 + e^-z)."""
    return 1 / (1 + np.exp(-z))


def softmax(logits: Floats) -> Floats:
    """Return e^l / sum(e^l) of each row; its maximum is subtracted, so that nothing overflows."""
    exponentials: Floats = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities: Floats = exponentials / exponentials.sum(axis=1, keepdims=True)
    return probabilities


def sigmoid_gradient(hidden: Floats) -> Floats:
    """Return the derivative of the sigmoid, expressed by its value."""
    return hidden * (1 - hidden)


def forward(x: Floats, w1: Floats, w2: Floats) -> tuple[Floats, Floats]:
    """Return ``y_hat`` (n, c) and the hidden layer (n, h)."""
    hidden = sigmoid(prepend_bias(x) @ w1)
    return softmax(prepend_bias(hidden) @ w2), hidden


def back(x: Floats, y: Floats, y_hat: Floats, hidden: Floats, w2: Floats) -> tuple[Floats, Floats]:
    """Return the gradients of the mean loss: ``g1`` shaped like w1 and ``g2`` like w2."""
    delta = y_hat - y
    g2 = prepend_bias(hidden).T @ delta / len(x)
    g1 = prepend_bias(x).T @ ((delta @ w2[1:].T) * sigmoid_gradient(hidden)) / len(x)
    return g1, g2


def step(x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float) -> tuple[Floats, Floats]:
    """Return the weights after one full-batch gradient step with learning rate ``lr``."""
    y_hat, hidden = forward(x, w1, w2)
    g1, g2 = back(x, y, y_hat, hidden, w2)
    return w1 - lr * g1, w2 - lr * g2


def loss(x: Floats, y: Floats, w1: Floats, w2: Floats) -> float:
    """Return the mean of -y*log(y_hat), in the form that stays finite where a class underflows."""
    logits = prepend_bias(sigmoid(prepend_bias(x) @ w1)) @ w2
    logits = logits - logits.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - (logits * y).sum(axis=1)))


def classify(x: Floats, w1: Floats, w2: Floats) -> Labels:
    """Return the (n,) most probable classes; the first one of equals."""
    labels: Labels = np.argmax(forward(x, w1, w2)[0], axis=1)
    return labels


def accuracy(x: Floats, labels: Labels, w1: Floats, w2: Floats) -> float:
    """Return the percentage of the samples that are classified as labelled."""
    return 100 * float(np.mean(classify(x, w1, w2) == labels))


def train(
    x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float, iterations: int
) -> tuple[Floats, Floats]:
    """Return the weights after ``iterations`` full-batch steps."""
    for _ in range(iterations):
        w1, w2 = step(x, y, w1, w2, lr)
    return w1, w2


def collapse(w1: Floats, w2: Floats) -> tuple[Floats, Floats, Floats]:
    """Return unit 0 of a symmetric network: ``u`` (i + 1,), ``b`` (c,) and ``v`` (c,)."""
    return w1[:, 0].copy(), w2[0].copy(), w2[1].copy()


def expand(u: Floats, b: Floats, v: Floats, hidden: int) -> tuple[Floats, Floats]:
    """Return the w1 and w2 of a network of ``hidden`` equal units."""
    return np.tile(u[:, None], (1, hidden)), np.vstack([b, np.tile(v, (hidden, 1))])


def collapsed_step(
    x: Floats, y: Floats, u: Floats, b: Floats, v: Floats, hidden: int, lr: float
) -> tuple[Floats, Floats, Floats]:
    """Return one step of the network of ``hidden`` equal units, computed as a single unit.

    Its logits are ``b + hidden * v * sigmoid([1, x] @ u)``; a step of u, b and v follows from the
    formulas of the full network, each hidden unit receiving the same gradient.
    """
    s = sigmoid(prepend_bias(x) @ u)[:, None]
    delta = softmax(b + hidden * (s * v)) - y
    g_v = (s * delta).sum(axis=0) / len(x)
    g_u = prepend_bias(x).T @ ((delta @ v) * sigmoid_gradient(s[:, 0])) / len(x)
    return u - lr * g_u, b - lr * delta.mean(axis=0), v - lr * g_v
