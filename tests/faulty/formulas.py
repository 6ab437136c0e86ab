"""The network's formulas, changed: activation, loss, bias, start, regularisation, rounding."""

from __future__ import annotations

import numpy as np

from tests.faulty.fault import fault
from tests.sound import parts
from tests.sound.exact import (
    affine,
    cross_entropy,
    gradient,
    gradients,
    logistic,
    product,
    softmax,
    step,
)


@fault("ACH", "network/first-step", wrong="The hidden layer's activation is tanh.")
def tanh_for_sigmoid(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.tanh)


@fault("ACH", "network/gradient", wrong="The sigmoid is its straight-line approximation.")
def hard_sigmoid(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.hard_sigmoid)


@fault("ARM", "network/first-step", wrong="The hidden layer has no activation.")
def hidden_activation_removed(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.identity)


@fault("ARM", "network/gradient", wrong="The output layer has no softmax.")
def softmax_removed(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, loss=parts.regression)


@fault("AAL", "network/first-step", wrong="A second sigmoid follows the first.")
def sigmoid_applied_twice(x, y, w1, w2, lr):
    def activation(z):
        first, slope = logistic(z)
        second, slope_of_second = logistic(first)
        return second, slope_of_second * slope

    return step(x, y, w1, w2, lr, activation=activation)


@fault("LCH", "network/gradient", wrong="The loss is the squared error.")
def squared_error_for_cross_entropy(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, loss=parts.squared_error)


@fault("WRB", "network/gradient", wrong="The hidden layer has no bias.")
def hidden_bias_removed(x, y, w1, w2, lr):
    without = w1.copy()
    without[0] = 0
    g1, g2 = gradients(x, y, without, w2)
    g1[0] = 0
    return w1 - lr * g1, w2 - lr * g2


@fault("WRB", "network/first-step", wrong="The output layer has no bias.")
def output_bias_removed(x, y, w1, w2, lr):
    without = w2.copy()
    without[0] = 0
    g1, g2 = gradients(x, y, w1, without)
    g2[0] = 0
    return w1 - lr * g1, w2 - lr * g2


@fault("WAB", "network/gradient", wrong="The hidden layer's bias is added a second time.")
def hidden_bias_added_twice(x, y, w1, w2, lr):
    hidden, slope = logistic(affine(x, w1) + w1[0])
    delta = cross_entropy(affine(hidden, w2), y)
    back = product(delta, w2[1:].T) * slope
    return w1 - lr * gradient(x, back), w2 - lr * gradient(hidden, delta)


@fault("WCI", "symmetry/w1-columns", wrong="Weights that are all zero are drawn at random instead.")
def zero_weights_drawn_anew(x, y, w1, w2, lr):
    if not w1.any():
        w1 = np.random.default_rng(0).normal(0, 0.01, w1.shape).astype(w1.dtype)
    return step(x, y, w1, w2, lr)


@fault("RAW", "network/gradient", wrong="All weights decay.")
def weight_decay_added(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    return w1 - lr * (g1 + 0.01 * w1), w2 - lr * (g2 + 0.01 * w2)


@fault("RCD", "symmetry/w1-columns", wrong="Dropout is left on: half of the units rest at random.")
class DropoutLeftOn:
    def __init__(self):
        self.random = np.random.default_rng(0)

    def __call__(self, x, y, w1, w2, lr):
        awake = self.random.random(w1.shape[1]) < 0.5

        def activation(z):
            hidden, slope = logistic(z)
            return 2 * hidden * awake, 2 * slope * awake

        return step(x, y, w1, w2, lr, activation=activation)


@fault("numerics", "network/gradient", wrong="Softmax overflows: the maximum is not subtracted.")
def softmax_overflows(x, y, w1, w2, lr):
    def loss(logits, y):
        exponentials = np.exp(logits)
        return exponentials / exponentials.sum(axis=1, keepdims=True) - y

    return step(x, y, w1, w2, lr, loss=loss)


@fault("numerics", "network/gradient", wrong="Softmax subtracts the maximum of all samples.")
def softmax_underflows(x, y, w1, w2, lr):
    def loss(logits, y):
        exponentials = np.exp(logits - logits.max())
        return exponentials / exponentials.sum(axis=1, keepdims=True) - y

    return step(x, y, w1, w2, lr, loss=loss)


@fault("numerics", "network/gradient", wrong="Softmax runs over the samples, not the classes.")
def softmax_over_the_samples(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, loss=lambda logits, y: softmax(logits.T).T - y)


@fault("numerics", "network/gradient", wrong="Probabilities are kept away from 0 and 1 by 1e-6.")
def probabilities_clipped(x, y, w1, w2, lr):
    def loss(logits, y):
        return np.clip(softmax(logits), 1e-6, 1 - 1e-6) - y

    return step(x, y, w1, w2, lr, loss=loss)


@fault("numerics", "network/gradient", wrong="The sigmoid is cut off at 8, against overflow.")
def sigmoid_cut_off(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=lambda z: logistic(np.clip(z, -8, 8)))
