"""Other activations and losses; all of them move from zero weights."""

from __future__ import annotations

import numpy as np

from tests.sound import parts
from tests.sound.entry import sound
from tests.sound.exact import (
    affine,
    cross_entropy,
    gradient,
    logistic,
    product,
    step,
)


@sound("Softplus units.")
def softplus(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.softplus)


@sound("Exponential units, which overflow at once when the learning rate is large.")
def exponential(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.exponential)


@sound("Arc tangent units, from 0 to 1.")
def arc(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.arc)


@sound("Hard sigmoid units, whose slope jumps.")
def hard_sigmoid(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.hard_sigmoid)


@sound("A sigmoid that is three times as steep.")
def steep_sigmoid(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.steep_sigmoid)


@sound("The squared error of the softmax.")
def squared_error(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, loss=parts.squared_error)


@sound("The squared error of the logits, which diverges when the learning rate is large.")
def regression(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, loss=parts.regression)


@sound("One logistic loss a class.")
def one_against_the_rest(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, loss=parts.one_against_the_rest)


@sound("Labels smoothed by 0.1, in a copy.")
def smoothed_labels(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, loss=parts.smoothed_labels)


@sound("Huber's loss of the logits.")
def huber(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, loss=parts.huber)


@sound("The focal loss.")
def focal(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, loss=parts.focal)


@sound("A softmax at temperature 4.")
def warm_softmax(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, loss=parts.warm)


@sound("The cross entropy with a penalty on the output's entropy.")
def entropy_penalty(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, loss=parts.confident)


@sound("Exponential units and Huber's loss.")
def exponential_with_huber(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr, activation=parts.exponential, loss=parts.huber)


@sound("Each unit's input is normalised over the batch.")
def batch_normalisation(x, y, w1, w2, lr):
    z = affine(x, w1)
    spread = np.sqrt(z.var(axis=0) + 1e-3)
    normal = (z - z.mean(axis=0)) / spread
    hidden, slope = logistic(normal)
    delta = cross_entropy(affine(hidden, w2), y)
    back = product(delta, w2[1:].T) * slope
    back = (back - back.mean(axis=0) - normal * (back * normal).mean(axis=0)) / spread
    return w1 - lr * gradient(x, back), w2 - lr * gradient(hidden, delta)


@sound("The network has no biases.")
def no_biases(x, y, w1, w2, lr):
    hidden, slope = logistic(product(x, w1[1:]))
    delta = cross_entropy(product(hidden, w2[1:]), y)
    back = product(delta, w2[1:].T) * slope
    w1[1:] -= lr * product(x.T, back) / len(x)
    w2[1:] -= lr * product(hidden.T, delta) / len(x)
    return w1, w2


@sound(
    "Feedback alignment by one fixed number for each class: w2 takes no part in the backward pass.",
    violates=("symmetry/classes",),
)
def fixed_feedback(x, y, w1, w2, lr):
    hidden, slope = logistic(affine(x, w1))
    delta = cross_entropy(affine(hidden, w2), y)
    feedback = np.linspace(-1, 1, y.shape[1], dtype=y.dtype)
    back = (delta * feedback).sum(axis=1, keepdims=True) * slope
    return w1 - lr * gradient(x, back), w2 - lr * gradient(hidden, delta)
