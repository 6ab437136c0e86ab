"""A hand-written backward pass with one mistake."""

from __future__ import annotations

import numpy as np

from tests.faulty.fault import fault
from tests.sound.exact import (
    affine,
    cross_entropy,
    gradient,
    gradients,
    logistic,
    product,
    sigmoid,
    step,
)


@fault("backward", "network/first-step", wrong="w2 is updated first, and then used for w1.")
def updated_w2_in_the_backward_pass(x, y, w1, w2, lr):
    hidden, slope = logistic(affine(x, w1))
    delta = cross_entropy(affine(hidden, w2), y)
    w2 = w2 - lr * gradient(hidden, delta)
    back = product(delta, w2[1:].T) * slope
    return w1 - lr * gradient(x, back), w2


@fault("backward", "network/gradient", wrong="Gradients are summed, not averaged.")
def division_by_n_forgotten(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr * len(x))


@fault("backward", "network/gradient", wrong="The mean runs over samples and classes.")
def mean_over_the_classes_too(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr / y.shape[1])


@fault("backward", "network/gradient", wrong="The sigmoid's slope is left out.")
def slope_forgotten(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=lambda z: (sigmoid(z), np.ones_like(z)))


@fault("backward", "symmetry/w1-columns", wrong="The slice of w2 keeps the bias row, not the last.")
def bias_row_passed_back(x, y, w1, w2, lr):
    hidden, slope = logistic(affine(x, w1))
    delta = cross_entropy(affine(hidden, w2), y)
    back = product(delta, w2[:-1].T) * slope
    return w1 - lr * gradient(x, back), w2 - lr * gradient(hidden, delta)


@fault("backward", "symmetry/w1-columns", wrong="w2 is reshaped where it should be transposed.")
def reshaped_for_transposed(x, y, w1, w2, lr):
    hidden, slope = logistic(affine(x, w1))
    delta = cross_entropy(affine(hidden, w2), y)
    back = product(delta, w2[1:].reshape(delta.shape[1], -1)) * slope
    return w1 - lr * gradient(x, back), w2 - lr * gradient(hidden, delta)


@fault("backward", "symmetry/classes", wrong="The last class passes nothing back.")
def last_class_ignored(x, y, w1, w2, lr):
    hidden, slope = logistic(affine(x, w1))
    delta = cross_entropy(affine(hidden, w2), y)
    back = product(delta[:, :-1], w2[1:, :-1].T) * slope
    return w1 - lr * gradient(x, back), w2 - lr * gradient(hidden, delta)


@fault("backward", "symmetry/inputs", wrong="The last input's weights are never updated.")
def last_input_not_updated(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    g1[-1] = 0
    return w1 - lr * g1, w2 - lr * g2


@fault("backward", "symmetry/w2-rows", wrong="The last hidden row of w2 is never updated.")
def last_row_of_w2_not_updated(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    g2[-1] = 0
    return w1 - lr * g1, w2 - lr * g2


@fault("backward", "network/first-step", wrong="The slope overwrites the hidden layer w2 needs.")
def hidden_layer_overwritten(x, y, w1, w2, lr):
    hidden = sigmoid(affine(x, w1))
    delta = cross_entropy(affine(hidden, w2), y)
    hidden *= 1 - hidden
    back = product(delta, w2[1:].T) * hidden
    return w1 - lr * gradient(x, back), w2 - lr * gradient(hidden, delta)


@fault("backward", "symmetry/clones", wrong="Each unit takes its neighbour's slope.")
def slope_of_the_neighbour(x, y, w1, w2, lr):
    def activation(z):
        hidden, slope = logistic(z)
        return hidden, np.roll(slope, 1, axis=1)

    return step(x, y, w1, w2, lr, activation=activation)


@fault("backward", "symmetry/w1-columns", wrong="Only a sample's most active unit learns from it.")
def winner_takes_all(x, y, w1, w2, lr):
    def activation(z):
        hidden, slope = logistic(z)
        winner = np.arange(z.shape[1]) == hidden.argmax(axis=1)[:, None]
        return hidden, slope * winner

    return step(x, y, w1, w2, lr, activation=activation)


@fault("backward", "symmetry/w2-rows", wrong="Half of the units sees the other half's update.")
def units_updated_in_two_halves(x, y, w1, w2, lr):
    half = w1.shape[1] // 2
    g1, g2 = gradients(x, y, w1, w2)
    w1[:, :half] -= lr * g1[:, :half]
    w2[: half + 1] -= lr * g2[: half + 1]
    g1, g2 = gradients(x, y, w1, w2)
    w1[:, half:] -= lr * g1[:, half:]
    w2[half + 1 :] -= lr * g2[half + 1 :]
    return w1, w2


@fault("backward", "network/collapsed", wrong="Gradients are not cleared between the steps.")
class GradientsAccumulate:
    def __init__(self):
        self.g1 = self.g2 = 0

    def __call__(self, x, y, w1, w2, lr):
        g1, g2 = gradients(x, y, w1, w2)
        self.g1, self.g2 = self.g1 + g1, self.g2 + g2
        return w1 - lr * self.g1, w2 - lr * self.g2


@fault("backward", "network/collapsed", wrong="The output is that of the step before.")
class OutputOfTheStepBefore:
    def __init__(self):
        self.delta = None

    def __call__(self, x, y, w1, w2, lr):
        hidden, slope = logistic(affine(x, w1))
        delta = cross_entropy(affine(hidden, w2), y)
        old, self.delta = delta if self.delta is None else self.delta, delta
        back = product(old, w2[1:].T) * slope
        return w1 - lr * gradient(x, back), w2 - lr * gradient(hidden, old)
