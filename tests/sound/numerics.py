"""The network of the formulas, computed in another way: other orders, other roundings."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from tests.sound.entry import sound
from tests.sound.exact import (
    affine,
    cross_entropy,
    gradient,
    gradients,
    logistic,
    prepend_bias,
    product,
    sigmoid,
    step,
)

formulas = partial(sound, applies="formulas")
threads = ThreadPoolExecutor(2)


@formulas("The formulas as they stand.")
def plain(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr)


@formulas("Everything is computed in double precision and rounded at the end.")
def double_precision_inside(x, y, w1, w2, lr):
    precise = step(*(array.astype(np.float64) for array in (x, y, w1, w2)), lr)
    return tuple(weight.astype(w1.dtype) for weight in precise)


@formulas("Gradients are added up over chunks of 32 samples.")
def samples_in_chunks(x, y, w1, w2, lr):
    sums = np.zeros_like(w1), np.zeros_like(w2)
    for start in range(0, len(x), 32):
        chunk = slice(start, start + 32)
        for total, g in zip(sums, gradients(x[chunk], y[chunk], w1, w2), strict=True):
            total += len(x[chunk]) * g
    return w1 - lr * sums[0] / len(x), w2 - lr * sums[1] / len(x)


@formulas("Samples are added up from the last to the first.")
def samples_backwards(x, y, w1, w2, lr):
    return step(x[::-1], y[::-1], w1, w2, lr)


@formulas("Gradients are added up in a tree: halves, quarters, ...")
def samples_in_a_tree(x, y, w1, w2, lr):
    def sums(x, y):
        if len(x) <= 16:
            return [len(x) * g for g in gradients(x, y, w1, w2)]
        half = len(x) // 2
        halves = sums(x[:half], y[:half]), sums(x[half:], y[half:])
        return [left + right for left, right in zip(*halves, strict=True)]

    g1, g2 = sums(x, y)
    return w1 - lr * (g1 / len(x)), w2 - lr * (g2 / len(x))


@formulas("Gradients are added up with Kahan's compensation.")
def compensated_sums(x, y, w1, w2, lr):
    def compensated_gradient(x, delta):
        total = error = np.zeros((x.shape[1] + 1, delta.shape[1]), x.dtype)
        for inputs, outputs in zip(prepend_bias(x), delta, strict=True):
            term = np.multiply.outer(inputs, outputs) - error
            new = total + term
            error = new - total - term
            total = new
        return total / len(x)

    hidden, slope = logistic(affine(x, w1))
    delta = cross_entropy(affine(hidden, w2), y)
    back = product(delta, w2[1:].T) * slope
    g1, g2 = compensated_gradient(x, back), compensated_gradient(hidden, delta)
    return w1 - lr * g1, w2 - lr * g2


@formulas("A loop over blocks of 16 hidden units, the last one shorter.")
def units_in_blocks(x, y, w1, w2, lr):
    blocks = [slice(start, start + 16) for start in range(0, w1.shape[1], 16)]
    hidden = np.hstack([sigmoid(affine(x, w1[:, block])) for block in blocks])
    delta = cross_entropy(affine(hidden, w2), y)
    for block in blocks:
        part = hidden[:, block]
        back = product(delta, w2[1:][block].T) * part * (1 - part)
        w1[:, block] -= lr * gradient(x, back)
    return w1, w2 - lr * gradient(hidden, delta)


@formulas("The bias has no column of ones: it is added, and its gradient is a mean.")
def bias_apart(x, y, w1, w2, lr):
    hidden, slope = logistic(product(x, w1[1:]) + w1[0])
    delta = cross_entropy(product(hidden, w2[1:]) + w2[0], y)
    back = product(delta, w2[1:].T) * slope
    g1 = np.vstack([back.mean(axis=0), product(x.T, back) / len(x)])
    g2 = np.vstack([delta.mean(axis=0), product(hidden.T, delta) / len(x)])
    return w1 - lr * g1, w2 - lr * g2


@formulas("The sigmoid is (1 + tanh(z/2)) / 2.")
def sigmoid_by_tanh(x, y, w1, w2, lr):
    def activation(z):
        hidden = (1 + np.tanh(z / 2)) / 2
        return hidden, hidden * (1 - hidden)

    return step(x, y, w1, w2, lr, activation=activation)


@formulas("The sigmoid has two branches, so that no exponential overflows.")
def sigmoid_in_two_branches(x, y, w1, w2, lr):
    def activation(z):
        small = np.exp(-np.abs(z))
        return np.where(z < 0, small, 1) / (1 + small), small / (1 + small) ** 2

    return step(x, y, w1, w2, lr, activation=activation)


@formulas("Softmax goes through the logarithm of the sum of exponentials.")
def softmax_by_logarithms(x, y, w1, w2, lr):
    def loss(logits, y):
        below = logits - logits.max(axis=1, keepdims=True)
        return np.exp(below - np.log(np.exp(below).sum(axis=1, keepdims=True))) - y

    return step(x, y, w1, w2, lr, loss=loss)


@formulas("The division by n happens in the learning rate.")
def division_in_the_learning_rate(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    rate = lr / len(x)
    return w1 - rate * (g1 * len(x)), w2 - rate * (g2 * len(x))


@formulas("The division by n happens in each sample's residual.")
def division_in_the_residual(x, y, w1, w2, lr):
    hidden, slope = logistic(affine(x, w1))
    delta = cross_entropy(affine(hidden, w2), y) / len(x)
    back = product(delta, w2[1:].T) * slope
    g1, g2 = product(prepend_bias(x).T, back), product(prepend_bias(hidden).T, delta)
    return w1 - lr * g1, w2 - lr * g2


@formulas("Inputs that are dark in every sample are left out.")
def dark_inputs_skipped(x, y, w1, w2, lr):
    lit = np.append(True, x.any(axis=0))
    w1[lit], w2 = step(x[:, lit[1:]], y, w1[lit], w2, lr)
    return w1, w2


@formulas("The hidden layer is padded to a multiple of 8 lanes, with weights of zero.")
def lanes_padded(x, y, w1, w2, lr):
    h = w1.shape[1]
    padding = ((0, 0), (0, -h % 8))
    w1, w2 = step(x, y, np.pad(w1, padding), np.pad(w2.T, padding).T, lr)
    return w1[:, :h], w2[: h + 1]


@formulas("Weights that are not normal numbers are flushed to zero.")
def subnormals_flushed(x, y, w1, w2, lr):
    tiny = np.finfo(w1.dtype).tiny
    return tuple(np.where(abs(w) < tiny, 0, w) for w in step(x, y, w1, w2, lr))


@formulas("Weights are kept transposed, as in torch.nn.Linear.")
def weights_transposed(x, y, w1, w2, lr):
    hidden, slope = logistic(product(w1.T, prepend_bias(x).T))
    delta = cross_entropy(affine(hidden.T, w2), y).T
    back = product(w2[1:], delta) * slope
    g1 = product(back, prepend_bias(x)) / len(x)
    g2 = product(delta, prepend_bias(hidden.T)) / len(x)
    return (w1.T - lr * g1).T, (w2.T - lr * g2).T


@formulas("Two threads share the samples; their sums are added in a fixed order.")
def threads_share_the_samples(x, y, w1, w2, lr):
    def sums(part):
        return [len(x[part]) * g for g in gradients(x[part], y[part], w1, w2)]

    middle = (len(x) + 1) // 2
    parts = [slice(0, middle)] + [slice(middle, None)] * (len(x) > 1)
    g1, g2 = map(sum, zip(*threads.map(sums, parts), strict=True))
    return w1 - lr * (g1 / len(x)), w2 - lr * (g2 / len(x))


@formulas("Two threads share the hidden units of w1's gradient.")
def threads_share_the_units(x, y, w1, w2, lr):
    hidden, slope = logistic(affine(x, w1))
    delta = cross_entropy(affine(hidden, w2), y)
    back = product(delta, w2[1:].T) * slope
    halves = back[:, ::2], back[:, 1::2]
    halves = [half for half in halves if half.size]
    for start, g1 in enumerate(threads.map(partial(gradient, x), halves)):
        w1[:, start::2] -= lr * g1
    return w1, w2 - lr * gradient(hidden, delta)
