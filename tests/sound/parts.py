"""Activations and losses beside the network's own, to be handed to `exact.step`.

An activation returns the hidden layer and its slope; a loss returns the gradient of each sample's
loss in its logits.
"""

from __future__ import annotations

import numpy as np

from tests.sound.exact import sigmoid, softmax


def tanh(z):
    hidden = np.tanh(z)
    return hidden, 1 - hidden**2


def relu(z):
    return np.maximum(z, 0), (z > 0).astype(z.dtype)


def leaky_relu(z):
    slope = np.where(z > 0, 1, 0.01).astype(z.dtype)
    return slope * z, slope


def elu(z):
    grown = np.exp(np.minimum(z, 0))
    return np.where(z > 0, z, grown - 1), np.where(z > 0, 1, grown)


def swish(z):
    gate = sigmoid(z)
    return z * gate, gate + z * gate * (1 - gate)


def softsign(z):
    return z / (1 + np.abs(z)), (1 + np.abs(z)) ** -2


def identity(z):
    return z, np.ones_like(z)


def softplus(z):
    return np.logaddexp(z, 0), sigmoid(z)


def exponential(z):
    hidden = np.exp(z)
    return hidden, hidden


def arc(z):
    """Return an arc tangent that runs from 0 to 1."""
    return 0.5 + np.arctan(z) / np.pi, 1 / (np.pi * (1 + z**2))


def hard_sigmoid(z):
    inside = (np.abs(z) < 2).astype(z.dtype)
    return np.clip(0.5 + z / 4, 0, 1), inside / 4


def steep_sigmoid(z):
    hidden = sigmoid(3 * z)
    return hidden, 3 * hidden * (1 - hidden)


def bell(z):
    hidden = np.exp(-(z**2))
    return hidden, -2 * z * hidden


def cosine(z):
    return np.cos(z), -np.sin(z)


def squared_error(logits, y):
    """Return the gradient of half the squared distance of softmax and label."""
    output = softmax(logits)
    distance = output - y
    return output * (distance - (distance * output).sum(axis=1, keepdims=True))


def regression(logits, y):
    """Return the gradient of half the squared distance of logits and label."""
    return logits - y


def one_against_the_rest(logits, y):
    """Return the gradient of one logistic loss a class."""
    return sigmoid(logits) - y


def smoothed_labels(logits, y):
    return softmax(logits) - (0.9 * y + 0.1 / y.shape[1])


def huber(logits, y):
    return np.clip(logits - y, -1, 1)


def focal(logits, y):
    """Return the gradient of -(1 - p)^2 log p, p being the probability of the true class."""
    output = softmax(logits)
    p = (output * y).sum(axis=1, keepdims=True)
    p = np.maximum(p, np.finfo(p.dtype).tiny)
    return (output - y) * (1 - p) * (1 - p - 2 * p * np.log(p))


def warm(logits, y):
    """Return the cross entropy's gradient at temperature 4."""
    return (softmax(logits / 4) - y) / 4


def confident(logits, y):
    """Return the gradient of the cross entropy plus a tenth of the output's entropy."""
    output = softmax(logits)
    surprise = np.log(np.maximum(output, np.finfo(output.dtype).tiny))
    entropy = -(output * surprise).sum(axis=1, keepdims=True)
    return output - y - 0.1 * output * (surprise + entropy)
