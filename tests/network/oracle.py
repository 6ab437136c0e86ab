"""The core's arithmetic as plain loops over NumPy scalars: slow, obvious, and right to the bit.

This file *defines* the order of every operation. Nothing here knows tiles, blocks, threads or
vectors, and zero inputs are not left out.
"""

from __future__ import annotations

import math

import numpy as np

CHUNKS, BLOCK, LANES, FOLD = 16, 256, 64, 16


LN2_HIGH, LN2_LOW = 6.93147180369123816490e-01, 1.90821492927058770002e-10
EXP = {  # integer, mantissa, bias, degree, lowest, highest, ln 2 in two parts
    np.float32: (np.int32, 23, 127, 7, -104, 89, 0.693359375, -2.12194440e-4),
    np.float64: (np.int64, 52, 1023, 13, -746, 710, LN2_HIGH, LN2_LOW),
}


def exp(x):
    dtype = type(x)
    integer, mantissa, bias, degree, low, high, ln2_high, ln2_low = EXP[dtype]
    if np.isnan(x):
        return x
    x = min(max(x, dtype(low)), dtype(high))
    rounder = dtype(1.5 * 2.0**mantissa)
    whole = x * dtype(1 / math.log(2)) + rounder - rounder
    r = x - whole * dtype(ln2_high) - whole * dtype(ln2_low)
    total = dtype(1 / math.factorial(degree))
    for k in range(degree - 1, -1, -1):
        total = total * r + dtype(1 / math.factorial(k))
    n = int(whole)
    for power in (n >> 1, n - (n >> 1)):
        total = total * integer((power + bias) << mantissa).view(dtype)
    return total


def log(x):
    if not 0 < x < math.inf:
        return x if x > 0 else -math.inf if x == 0 else math.nan
    m, n = math.frexp(x)
    if m < (2**52 + 0x6A09C00000000) / 2**53:  # sqrt(1/2), cut to 20 bits as in fdlibm
        m, n = 2 * m, n - 1
    f = m - 1
    s = f / (2 + f)
    series = 0.0
    for k in range(11, 0, -1):
        series = (series + 2 / (2 * k + 1)) * (s * s)
    half = 0.5 * f * f
    return n * LN2_HIGH - (half - (s * (half + series) + n * LN2_LOW) - f)


def sigmoid(z):
    one = type(z)(1)
    return one / (one + exp(-z))


def softmax(logits):
    largest = max(logits)
    exponentials = [exp(logit - largest) for logit in logits]
    total = exponentials[0]
    for e in exponentials[1:]:
        total = total + e
    return [e / total for e in exponentials], total, largest


def chunk_bounds(n):
    chunks = min(CHUNKS, math.ceil(n / BLOCK))
    return [(n * c // chunks, n * (c + 1) // chunks) for c in range(chunks)]


def dot(start, left, right):
    for a, b in zip(left, right, strict=True):
        start = start + a * b
    return start


def forward(x, w1, w2):
    hidden = [sigmoid(dot(w[0], x, w[1:])) for w in w1.T]
    return hidden, [dot(w[0], hidden, w[1:]) for w in w2.T]


def gradient(x, labels, w1, w2):
    """Return the loss, the two gradients and the predicted labels."""
    dtype, n = w1.dtype.type, len(x)
    zero, one = dtype(0), dtype(1)
    sums, loss, predictions = None, 0.0, []
    for first, last in chunk_bounds(n):
        g1, g2, chunk_loss = np.zeros_like(w1), np.zeros_like(w2), 0.0
        for s in range(first, last):
            hidden, logits = forward(x[s], w1, w2)
            y_hat, total, largest = softmax(logits)
            predictions.append(y_hat.index(max(y_hat)))
            chunk_loss += log(float(total)) + (float(largest) - float(logits[labels[s]]))
            delta = [y - one if k == labels[s] else y for k, y in enumerate(y_hat)]
            for k, d in enumerate(delta):
                g2[0, k] = g2[0, k] + d
                for j, h in enumerate(hidden):
                    g2[j + 1, k] = g2[j + 1, k] + d * h
            for j, h in enumerate(hidden):
                d = dot(zero, delta, w2[j + 1]) * h * (one - h)
                g1[0, j] = g1[0, j] + d
                for k in range(len(x[s])):
                    g1[k + 1, j] = g1[k + 1, j] + x[s, k] * d
        loss += chunk_loss
        sums = (g1, g2) if sums is None else (sums[0] + g1, sums[1] + g2)
    return loss / n, (sums[0] / dtype(n), sums[1] / dtype(n)), predictions


def halves(lanes):
    """Add up by halves: the upper half of the lanes to the lower one, until one is left."""
    while len(lanes) > 1:
        half = len(lanes) // 2
        lanes = [a + b for a, b in zip(lanes[:half], lanes[half:], strict=True)]
    return lanes[0]


def lane_sum(a, d, zero):
    """Sum a * d over a chunk: lane by lane over groups of 64, four a group; then by halves."""
    products = [left * right for left, right in zip(a, d, strict=True)]
    lanes = [zero] * FOLD
    for group in range(0, len(products), LANES):
        p = products[group : group + LANES]
        p = p + [zero] * (LANES - len(p))
        for lane in range(FOLD):
            first = p[lane] + p[lane + FOLD]
            second = p[lane + 2 * FOLD] + p[lane + 3 * FOLD]
            lanes[lane] = lanes[lane] + (first + second)
    return halves(lanes)


def collapsed_gradient(x, labels, u, b, v, units):
    """Return the loss and the gradients by u, b and v of the collapsed network."""
    dtype, n = u.dtype.type, len(x)
    zero, one = dtype(0), dtype(1)
    loss, sums = 0.0, None
    for first, last in chunk_bounds(n):
        chunk_loss, hidden, deltas, slopes = 0.0, [], [], []
        for s in range(first, last):
            h = sigmoid(dot(u[0], x[s], u[1:]))
            logits = [bias + dtype(units) * weight * h for bias, weight in zip(b, v, strict=True)]
            y_hat, total, largest = softmax(logits)
            chunk_loss += log(float(total)) + (float(largest) - float(logits[labels[s]]))
            delta = [y - one if k == labels[s] else y for k, y in enumerate(y_hat)]
            hidden.append(h)
            deltas.append(delta)
            slopes.append(dot(zero, delta, v) * h * (one - h))
        by_class = list(zip(*deltas, strict=True))
        ones = [one] * len(hidden)
        new = (
            np.array([lane_sum(column, slopes, zero) for column in [ones, *x[first:last].T]]),
            np.array([lane_sum(ones, d, zero) for d in by_class]),
            np.array([lane_sum(hidden, d, zero) for d in by_class]),
        )
        loss += chunk_loss
        sums = new if sums is None else tuple(a + g for a, g in zip(sums, new, strict=True))
    return loss / n, tuple(total / dtype(n) for total in sums)
