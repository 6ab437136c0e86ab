"""One step of the network in float64, and how far a sound step in a lower precision may be off.

The bound is a running error analysis: each formula of the network is followed by the error that
its result may have, given the errors of what went in. It holds for every order of summation, with
or without fused multiply-adds, for stable forms of sigmoid and softmax, and where subnormal numbers
are flushed to zero. No term is left out for being small: a sound step stays inside with saturated
units, with logits in the hundreds, and when a learning rate of 100 meets raw pixels.

Names: ``u`` is half the distance from 1 to the next number, ``gamma(k) = k*u / (1 - k*u)`` bounds
the error of k roundings, ``tiny`` is the smallest normal number. The others follow the formulas:
``x`` (n, i) inputs, ``z`` and ``h`` (n, h) before and after the sigmoid, ``p = h * (1 - h)``, ``l``
(n, c) logits, ``y`` (n, c) probabilities, ``d`` their difference to the labels, ``s`` (n, h) the
delta at the hidden layer. A name with ``e_`` before it is the error of what follows.

An error of NaN means that nothing can be said, because some sum of magnitudes on the way comes near
the end of the dtype's range; NaN survives every operation that follows, which infinity would not.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from symmetry.units.compare import Floats

Doubles = NDArray[np.float64]


class Bounded(NamedTuple):
    """A matrix of weights after one step, in float64."""

    value: Doubles  # the new weights
    error: Doubles  # what a sound step may be off, for each entry; NaN where that cannot be said
    update: Doubles  # the magnitude of the change the step makes


class _Format:
    """The step's dtype as the error analysis sees it."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        info = np.finfo(dtype)
        self.u, self.tiny, self.limit = float(info.eps) / 2, float(info.tiny), float(info.max) / 8
        # In float64 the step that it is compared with errs, too.
        self.doubt = 2 if dtype == np.float64 else 1

    def gamma(self, k: int) -> float:
        return k * self.u / (1 - k * self.u)

    def unless_huge(self, error: Doubles, absolute_sum: Doubles) -> Doubles:
        """Return the error, or NaN where the sum of magnitudes comes near the largest number."""
        return np.where(absolute_sum < self.limit, error, np.nan)


def step_bounds(
    x: Floats, y: Floats, w1: Floats, w2: Floats, lr: float, copies: int = 1
) -> tuple[Bounded, Bounded]:
    """Return w1 and w2 after one step of gradient descent, with their bounds.

    Their dtype is the one whose errors are to be bounded. Each column of w1 stands for ``copies``
    copies of a hidden unit: with h = 1 the logits of the collapsed network are ``b + copies * v *
    h``.
    """
    fmt = _Format(w1.dtype)
    x, w1, w2 = (a.astype(np.float64) for a in (x, w1, w2))
    with np.errstate(all="ignore"):
        h, e_h, p, e_p = _hidden_layer(fmt, x, w1)
        d, e_d = _output_delta(fmt, h, e_h, w2, y.argmax(axis=1), copies)
        s, e_s = _hidden_delta(fmt, d, e_d, w2[1:], p, e_p)
        g1, e_g1 = _weight_gradient(fmt, x, None, s, e_s)
        g2, e_g2 = _weight_gradient(fmt, h, e_h, d, e_d)
        return _update(fmt, w1, g1, e_g1, lr), _update(fmt, w2, g2, e_g2, lr)


def _hidden_layer(
    fmt: _Format, x: Doubles, w1: Doubles
) -> tuple[Doubles, Doubles, Doubles, Doubles]:
    """Return h = sigmoid([1, x] @ w1) and p = h * (1 - h), each with its error."""
    inputs = x.shape[1]
    z = w1[0] + x @ w1[1:]
    magnitude = abs(w1[0]) + abs(x) @ abs(w1[1:])
    e_z = fmt.gamma(inputs + 2) * magnitude + (inputs + 2) * fmt.tiny
    e_z = fmt.unless_huge(e_z, magnitude)
    h = 1 / (1 + np.exp(-z))
    p = 1 / (1 + np.exp(z)) * h
    # In logarithms, because p may underflow where e^e_z is huge.
    steepest = np.exp(np.minimum(-abs(z) - 2 * np.log1p(np.exp(-abs(z))) + e_z, 0))
    e_h = np.minimum(1, np.minimum(0.25, steepest) * e_z + 4 * fmt.u)
    e_p = np.minimum(0.25, abs(1 - 2 * h) * e_h + e_h**2) + 3 * fmt.u * (p + e_h) + fmt.tiny
    return h, e_h, p, e_p


def _output_delta(
    fmt: _Format, h: Doubles, e_h: Doubles, w2: Doubles, labels: NDArray[Any], copies: int
) -> tuple[Doubles, Doubles]:
    """Return d = softmax([1, h] @ w2) - y and its error."""
    units, classes = len(w2) - 1, w2.shape[1]
    bias, weights = abs(w2[0]), copies * abs(w2[1:])
    logits = w2[0] + h @ (copies * w2[1:])
    magnitude = bias + (h + e_h) @ weights
    terms = units * copies + 2
    e_l = fmt.gamma(terms) * magnitude + e_h @ weights + terms * fmt.tiny
    e_l = fmt.unless_huge(e_l, magnitude)
    top = logits.max(axis=1, keepdims=True)
    e_l = e_l + 2 * fmt.u * (top - logits + e_l.max(axis=1, keepdims=True))
    y, log_odds = _softmax(logits)
    # A logit moves against all others by no more than this.
    shift = e_l + _largest_other(e_l, 0.0)
    amplified = np.where(
        shift < 1,
        np.exp(log_odds) * np.expm1(np.minimum(shift, 1)),
        np.exp(np.minimum(0, log_odds + shift)),
    )
    # With the top, because exp(logit - logsumexp(logits)) is a sound softmax as well.
    e_y = amplified + (classes + 8 + abs(top)) * fmt.u * y + (classes + 2) * fmt.tiny
    e_y = np.minimum(1, e_y)
    # The entry of the true class is minus the sum of the others: nothing cancels.
    d, rows = y.copy(), np.arange(len(y))
    d[rows, labels] = 0
    d[rows, labels] = -d.sum(axis=1)
    return d, e_y + fmt.u * (abs(d) + e_y)


def _softmax(logits: Doubles) -> tuple[Doubles, Doubles]:
    """Return the probabilities y and log(y * (1 - y)), which does not underflow."""
    top = logits.max(axis=1, keepdims=True)
    exponentials = np.exp(logits - top)
    total = exponentials.sum(axis=1, keepdims=True)
    if logits.shape[1] == 1:
        return np.ones_like(logits), np.full_like(logits, -np.inf)
    rows, winner = np.arange(len(logits)), logits.argmax(axis=1)
    log_others = np.log(total - exponentials)
    # The rest beside the winner: relative to the second largest, or it may vanish.
    second = _largest_other(logits, -np.inf)[rows, winner]
    rest = np.exp(logits - second[:, None])
    rest[rows, winner] = 0
    log_others[rows, winner] = second - top[:, 0] + np.log(rest.sum(axis=1))
    return exponentials / total, logits - top + log_others - 2 * np.log(total)


def _largest_other(a: Doubles, alone: float) -> Doubles:
    """Return for each entry the largest other one of its row; ``alone`` where there is no other."""
    if a.shape[1] == 1:
        return np.full_like(a, alone)
    rows, winner = np.arange(len(a)), a.argmax(axis=1)
    others = np.repeat(a.max(axis=1, keepdims=True), a.shape[1], axis=1)
    rest = a.copy()
    rest[rows, winner] = -np.inf
    others[rows, winner] = rest.max(axis=1)
    return others


def _hidden_delta(
    fmt: _Format, d: Doubles, e_d: Doubles, weights: Doubles, p: Doubles, e_p: Doubles
) -> tuple[Doubles, Doubles]:
    """Return s = (d @ w2[1:].T) * p and its error."""
    terms = d.shape[1] + 2
    t = d @ weights.T
    magnitude = (abs(d) + e_d) @ abs(weights).T
    e_t = e_d @ abs(weights).T + fmt.gamma(terms) * magnitude + terms * fmt.tiny
    e_t = fmt.unless_huge(e_t, magnitude)
    largest = (abs(t) + e_t) * (p + e_p)
    e_s = e_t * p + abs(t) * e_p + e_t * e_p + 4 * fmt.u * largest + 4 * fmt.tiny
    return t * p, fmt.unless_huge(e_s, largest)


def _weight_gradient(
    fmt: _Format, a: Doubles, e_a: Doubles | None, d: Doubles, e_d: Doubles
) -> tuple[Doubles, Doubles]:
    """Return [1, a].T @ d / n and its error; ``e_a`` is None for inputs, which are exact."""
    n, gamma = len(d), fmt.gamma(len(d) + 4)
    magnitude = abs(d) + e_d
    e_term = e_d + gamma * magnitude
    g, e_g = a.T @ d, abs(a).T @ e_term
    if e_a is not None:
        e_g += e_a.T @ ((1 + gamma) * magnitude)
    largest = _absolute_products(fmt, abs(a) if e_a is None else abs(a) + e_a, magnitude)
    g = np.vstack([d.sum(axis=0), g]) / n
    e_g = np.vstack([e_term.sum(axis=0), e_g]) / n + 3 * fmt.tiny
    return g, fmt.unless_huge(e_g, np.vstack([magnitude.sum(axis=0), largest]))


def _absolute_products(fmt: _Format, a: Doubles, b: Doubles) -> Doubles:
    """Return a.T @ b, or something larger that is cheap to have and still far from the limit."""
    ceiling = np.tile(a.max() * b.sum(axis=0), (a.shape[1], 1))
    return ceiling if (ceiling < fmt.limit).all() else a.T @ b


def _update(fmt: _Format, w: Doubles, g: Doubles, e_g: Doubles, lr: float) -> Bounded:
    """Return w - lr * g and its error."""
    largest = lr * (abs(g) + e_g)
    e_w = lr * e_g * (1 + 4 * fmt.u) + 3 * fmt.u * largest
    e_w = e_w + fmt.u * (abs(w) + largest) + 2 * fmt.tiny
    e_w = fmt.unless_huge(fmt.doubt * e_w, abs(w) + largest)
    return Bounded(w - lr * g, e_w, abs(lr * g))
