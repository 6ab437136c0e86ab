"""Gradients that are right, and an update that is not."""

from __future__ import annotations

import numpy as np

from tests.faulty.fault import fault
from tests.sound.exact import gradients, step
from tests.sound.optimisers import Adam, Momentum


@fault("HLR", "network/gradient", wrong="The learning rate is a tenth of the one asked for.")
def learning_rate_too_low(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr / 10)


@fault("HLR", "network/gradient", wrong="The learning rate never exceeds 1.")
def learning_rate_capped(x, y, w1, w2, lr):
    return step(x, y, w1, w2, min(lr, 1.0))


@fault("HNE", "network/gradient", wrong="One step makes two.")
def two_epochs_a_step(x, y, w1, w2, lr):
    return step(x, y, *step(x, y, w1, w2, lr), lr)


@fault("OCH", "network/collapsed", wrong="The optimiser has momentum.")
class MomentumAdded(Momentum):
    pass


@fault("OCH", "network/gradient", wrong="The optimiser is Adam.")
class AdamForGradientDescent(Adam):
    pass


@fault("OCG", "network/gradient", wrong="Gradients are clipped at 0.1.")
def gradients_clipped(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    return w1 - lr * np.clip(g1, -0.1, 0.1), w2 - lr * np.clip(g2, -0.1, 0.1)


@fault("OCG", "symmetry/permutation", wrong="The first unit's norm decides how all are clipped.")
def clipped_by_the_first_units_norm(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    norm = np.sqrt((g1[:, 0] ** 2).sum() + (g2[1] ** 2).sum())
    rate = lr / max(1, 100 * norm)
    return w1 - rate * g1, w2 - rate * g2


@fault("OCH", "symmetry/permutation", wrong="Units come back sorted by the size of their weights.")
def units_sorted_by_size(x, y, w1, w2, lr):
    w1, w2 = step(x, y, w1, w2, lr)
    order = np.argsort((w1**2).sum(axis=0), kind="stable")
    w2[1:] = w2[1:][order]
    return w1[:, order], w2


@fault("OCH", "symmetry/w1-columns", wrong="Only the larger half of w1's gradients is applied.")
def larger_half_of_the_gradients(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    smaller = np.argsort(np.abs(g1), axis=None, kind="stable")[: g1.size // 2]
    g1.ravel()[smaller] = 0
    return w1 - lr * g1, w2 - lr * g2


@fault("OCH", "symmetry/w1-columns", wrong="Each step moves one unit only, in turn.")
class OneUnitAStep:
    def __init__(self):
        self.steps = 0

    def __call__(self, x, y, w1, w2, lr):
        turn = np.arange(w1.shape[1]) == self.steps % w1.shape[1]
        self.steps += 1
        g1, g2 = gradients(x, y, w1, w2)
        g2[1:] *= turn[:, None]
        return w1 - lr * g1 * turn, w2 - lr * g2


@fault("kernel", "symmetry/w1-columns", wrong="Updates are rounded stochastically to 16 bits.")
class StochasticRounding:
    def __init__(self):
        self.random = np.random.default_rng(0)

    def __call__(self, x, y, w1, w2, lr):
        w1, w2 = step(x, y, w1, w2, lr)
        mantissa, exponent = np.frexp(w1)
        rounded = np.floor(mantissa * 256 + self.random.random(w1.shape).astype(w1.dtype)) / 256
        return np.ldexp(rounded, exponent), w2


@fault("kernel", "symmetry/w1-columns", wrong="Momentum is kept in 8 bits, scaled by blocks of 64.")
class MomentumInBlocks:
    def __init__(self):
        self.velocity = 0

    def __call__(self, x, y, w1, w2, lr):
        g1, g2 = gradients(x, y, w1, w2)
        velocity = 0.9 * self.velocity + g1
        self.velocity = np.empty_like(g1)
        for start in range(0, g1.size, 64):
            block = velocity.ravel()[start : start + 64]
            scale = np.abs(block).max() / 127 or 1
            self.velocity.ravel()[start : start + 64] = np.round(block / scale) * scale
        return w1 - lr * self.velocity, w2 - lr * g2
