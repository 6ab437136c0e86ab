"""The core's arithmetic as plain loops over NumPy scalars: slow, obvious, and right to the bit.

This file *defines* the order of every operation, and which of them are fused. Nothing here knows
tiles, blocks, threads or vectors, and zero inputs are not left out.
"""

from __future__ import annotations

import math

import numpy as np

CHUNKS, BLOCK, FOLD = 16, 256, 16


def fma(a, b, c):
    """Return a * b + c rounded once, as IEEE 754 defines it: from exact numbers, not a library."""
    if not (math.isfinite(a) and math.isfinite(b)):
        return a * b + c
    if not math.isfinite(c):
        return c
    return (fma32 if isinstance(c, np.float32) else fma64)(a, b, c)


def fma64(a, b, c):
    """Divide two integers, whose quotient Python rounds correctly."""
    (a_up, a_down), (b_up, b_down), (c_up, c_down) = (x.as_integer_ratio() for x in (a, b, c))
    up, down = a_up * b_up * c_down + c_up * a_down * b_down, a_down * b_down * c_down
    if up == 0:
        return a * b + c  # which has the sign of this zero
    try:
        return np.float64(up / down)
    except OverflowError:
        return np.float64(math.inf if up > 0 else -math.inf)


def fma32(a, b, c):
    """Add the product, which float64 holds exactly, and round to odd, then to float32.

    To odd means: where the sum is not exact, to that neighbour whose last bit is 1. It is not a
    tie of float32, so that the second rounding errs on neither side.
    """
    a, b, c = np.float64(a), np.float64(b), np.float64(c)
    product = a * b
    total = product + c
    back = total - product
    error = (product - (total - back)) + (c - back)  # exact (Knuth's TwoSum)
    if error != 0 and total.view(np.int64) % 2 == 0:
        total = np.nextafter(total, math.copysign(math.inf, error))
    return np.float32(total)


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
        start = fma(a, b, start)
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
                    g2[j + 1, k] = fma(d, h, g2[j + 1, k])
            for j, h in enumerate(hidden):
                d = dot(zero, delta, w2[j + 1]) * h * (one - h)
                g1[0, j] = g1[0, j] + d
                for k in range(len(x[s])):
                    g1[k + 1, j] = fma(x[s, k], d, g1[k + 1, j])
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
    """Sum a * d over a chunk: for each of 16 lanes over every 16th sample, then by halves."""
    return halves([dot(zero, a[lane::FOLD], d[lane::FOLD]) for lane in range(FOLD)])


def collapsed_gradient(x, labels, u, b, v, units):
    """Return the loss and the gradients by u, b and v of the collapsed network."""
    dtype, n = u.dtype.type, len(x)
    zero, one = dtype(0), dtype(1)
    loss, sums = 0.0, None
    for first, last in chunk_bounds(n):
        chunk_loss, hidden, deltas, slopes = 0.0, [], [], []
        for s in range(first, last):
            h = sigmoid(dot(u[0], x[s], u[1:]))
            logits = [
                fma(dtype(units) * weight, h, bias) for bias, weight in zip(b, v, strict=True)
            ]
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
