"""What goes wrong in vectorised, tiled, threaded and reduced-precision kernels.

NumPy stands in for the kernel: a mistake that in C or CUDA spoils a tail loop, a tile or a lane
spoils the same entries here.
"""

from __future__ import annotations

import threading

import numpy as np

from tests.faulty.fault import fault
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

LANES = 8
TILE = 64


def reversed_gradients(x, y, w1, w2):
    """Return the gradients, summed over the samples in reverse order."""
    return gradients(x[::-1], y[::-1], w1, w2)


@fault("kernel", "symmetry/w1-columns", wrong="The units after the last full vector are left out.")
def tail_lanes_skipped(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    g1[:, w1.shape[1] // LANES * LANES :] = 0
    return w1 - lr * g1, w2 - lr * g2


@fault("kernel", "symmetry/w1-columns", wrong="The tail loop adds up in another order.")
def tail_lanes_summed_backwards(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    tail = w1.shape[1] // LANES * LANES
    g1[:, tail:] = reversed_gradients(x, y, w1, w2)[0][:, tail:]
    return w1 - lr * g1, w2 - lr * g2


@fault("kernel", "symmetry/clones", wrong="Full vectors fuse multiply and add, the tail does not.")
def multiply_and_add_fused_in_the_body(x, y, w1, w2, lr):
    def fused_product(a, b):
        total = np.zeros((len(a), b.shape[1]), np.float32)
        for k in range(len(b)):
            total = (total + np.float64(a[:, k, None]) * b[k]).astype(np.float32)
        return total

    body = w1.shape[1] // LANES * LANES
    z = affine(x, w1)
    z[:, :body] = fused_product(prepend_bias(x), w1[:, :body])
    hidden, slope = logistic(z)
    delta = cross_entropy(affine(hidden, w2), y)
    back = product(delta, w2[1:].T) * slope
    return w1 - lr * gradient(x, back), w2 - lr * gradient(hidden, delta)


multiply_and_add_fused_in_the_body.dtypes = ("float32",)


@fault("kernel", "symmetry/clones", wrong="Full vectors use another exponential than the tail.")
def vector_exponential_in_the_body(x, y, w1, w2, lr):
    body = w1.shape[1] // LANES * LANES

    def activation(z):
        hidden = sigmoid(z)
        hidden[:, :body] = 1 / (1 + np.exp2(z[:, :body] * -np.log2(np.e).astype(z.dtype)))
        return hidden, hidden * (1 - hidden)

    return step(x, y, w1, w2, lr, activation=activation)


@fault("kernel", "symmetry/w1-columns", wrong="Split reduction: odd units add up backwards.")
def reduction_order_by_unit(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    g1[:, 1::2] = reversed_gradients(x, y, w1, w2)[0][:, 1::2]
    return w1 - lr * g1, w2 - lr * g2


@fault("kernel", "symmetry/w2-rows", wrong="Two accumulators a row, but the last row has one.")
def last_row_with_one_accumulator(x, y, w1, w2, lr):
    hidden, slope = logistic(affine(x, w1))
    delta = cross_entropy(affine(hidden, w2), y)
    back = product(delta, w2[1:].T) * slope
    left, right = prepend_bias(hidden).T, delta
    g2 = (product(left[:, ::2], right[::2]) + product(left[:, 1::2], right[1::2])) / len(x)
    g2[-1:] = product(left[-1:], right) / len(x)
    return w1 - lr * gradient(x, back), w2 - lr * g2


@fault("kernel", "symmetry/clones", wrong="A buffer holds 128 units; the others are not computed.")
def buffer_of_128_units(x, y, w1, w2, lr):
    def activation(z):
        hidden, slope = logistic(z)
        hidden[:, 128:] = slope[:, 128:] = 0
        return hidden, slope

    return step(x, y, w1, w2, lr, activation=activation)


@fault("kernel", "symmetry/w1-columns", wrong="The unit's index is a byte: 256 is 0 again.")
def unit_index_in_a_byte(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    g1[:, : max(0, w1.shape[1] - 256)] += g1[:, 256:512]
    g1[:, 256:] = 0
    return w1 - lr * g1, w2 - lr * g2


@fault("kernel", "symmetry/w1-columns", wrong="A tile's first unit is counted twice.")
def tile_boundary_counted_twice(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    g1[:, TILE::TILE] *= 2
    return w1 - lr * g1, w2 - lr * g2


@fault("kernel", "symmetry/w1-columns", wrong="The last block of 16 units is in half precision.")
def half_precision_in_the_last_block(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    last = (w1.shape[1] - 1) // 16 * 16
    g1[:, last:] = g1[:, last:].astype(np.float16)
    return w1 - lr * g1, w2 - lr * g2


@fault("kernel", "network/gradient", wrong="A step in double precision is computed in single.")
def single_precision_inside(x, y, w1, w2, lr):
    w1, w2 = step(*(array.astype(np.float32) for array in (x, y, w1, w2)), lr)
    return w1.astype(np.float64), w2.astype(np.float64)


single_precision_inside.dtypes = ("float64",)


@fault("kernel", "symmetry/samples", wrong="The samples after the last full chunk are left out.")
def last_chunk_of_samples_lost(x, y, w1, w2, lr):
    whole = len(x) // TILE * TILE or len(x)
    return step(x[:whole], y[:whole], w1, w2, lr * whole / len(x))


@fault("kernel", "network/gradient", wrong="Lanes that pad the hidden layer repeat its last unit.")
def padding_lanes_in_the_sum(x, y, w1, w2, lr):
    hidden, slope = logistic(affine(x, w1))
    padding = ((0, 0), (0, -w1.shape[1] % LANES))
    padded = np.pad(hidden, padding, mode="edge"), np.pad(w2.T, padding, mode="edge").T
    delta = cross_entropy(affine(*padded), y)
    back = product(delta, w2[1:].T) * slope
    return w1 - lr * gradient(x, back), w2 - lr * gradient(hidden, delta)


@fault("kernel", "symmetry/dead-inputs", wrong="A gather reads the neighbouring input.")
def neighbouring_input_gathered(x, y, w1, w2, lr):
    hidden, slope = logistic(affine(x, w1))
    delta = cross_entropy(affine(hidden, w2), y)
    back = product(delta, w2[1:].T) * slope
    return w1 - lr * gradient(np.roll(x, 1, axis=1), back), w2 - lr * gradient(hidden, delta)


@fault("kernel", "symmetry/samples", wrong="Inputs that are dark in the first sample are skipped.")
def inputs_skipped_by_the_first_sample(x, y, w1, w2, lr):
    return step(np.where(x[0] == 0, 0, x), y, w1, w2, lr)


@fault("threads", "network/gradient", wrong="Two threads add to one sum unlocked.", varies=True)
def update_lost_between_threads(x, y, w1, w2, lr):
    sums = [np.zeros_like(w1), np.zeros_like(w2)]
    both_have_read = threading.Barrier(2)

    def add(part):
        g1, g2 = gradients(x[part], y[part], w1, w2)
        read = list(sums)
        both_have_read.wait()
        share = len(x[part]) / len(x)
        sums[:] = read[0] + share * g1, read[1] + share * g2

    half = max(1, len(x) // 2)
    parts = slice(0, half), slice(len(x) - half, None)
    threads = [threading.Thread(target=add, args=(part,)) for part in parts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return w1 - lr * sums[0], w2 - lr * sums[1]


@fault("threads", "symmetry/repeatable", wrong="Samples are added up as they arrive.", varies=True)
def sums_in_order_of_arrival(x, y, w1, w2, lr):
    arrival = np.random.default_rng().permutation(len(x))
    return step(x[arrival], y[arrival], w1, w2, lr)
