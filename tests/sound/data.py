"""Training data that is chosen or changed, in a copy, in the same way in every run."""

from __future__ import annotations

import numpy as np

from tests.sound.entry import sound
from tests.sound.exact import step


class Seeded:
    """Has a generator of its own, seeded afresh for each run."""

    def __init__(self):
        self.random = np.random.default_rng(0)


@sound("Inputs are scaled to -1..1 by the largest.")
def inputs_scaled(x, y, w1, w2, lr):
    return step(x / max(1, abs(x).max()), y, w1, w2, lr)


@sound("Each input is standardised over the batch; a dark one stays dark.")
def inputs_standardised(x, y, w1, w2, lr):
    return step((x - x.mean(axis=0)) / (x.std(axis=0) + 1), y, w1, w2, lr)


@sound("Batches of 16 take turns.")
class BatchesInTurn:
    def __init__(self):
        self.start = 0

    def __call__(self, x, y, w1, w2, lr):
        batch = slice(self.start, self.start + 16)
        self.start = batch.stop if batch.stop < len(x) else 0
        return step(x[batch], y[batch], w1, w2, lr)


@sound("Each step draws its samples, seeded.")
class SamplesDrawn(Seeded):
    def __call__(self, x, y, w1, w2, lr):
        drawn = self.random.integers(len(x), size=len(x))
        return step(x[drawn], y[drawn], w1, w2, lr)


@sound("Inputs drop out, the same for all units, seeded.")
class InputDropout(Seeded):
    def __call__(self, x, y, w1, w2, lr):
        return step(x * (self.random.random(x.shape) < 0.8), y, w1, w2, lr)


@sound("Inputs are multiplied by noise, seeded.")
class InputsWithNoise(Seeded):
    def __call__(self, x, y, w1, w2, lr):
        noise = self.random.normal(1, 0.1, x.shape).astype(x.dtype)
        return step(x * noise, y, w1, w2, lr)


@sound("Some labels are exchanged, seeded.")
class LabelsWithNoise(Seeded):
    def __call__(self, x, y, w1, w2, lr):
        order = np.where(self.random.random(len(y)) < 0.1, 0, np.arange(len(y)))
        return step(x, y[order], w1, w2, lr)


@sound("Samples are mixed in pairs, seeded.")
class Mixup(Seeded):
    def __call__(self, x, y, w1, w2, lr):
        other = self.random.permutation(len(x))
        return step((3 * x + x[other]) / 4, (3 * y + y[other]) / 4, w1, w2, lr)


@sound("Half of the steps ascend: it trains nothing, but symmetrically.")
class UpAndDown:
    def __init__(self):
        self.sign = -1

    def __call__(self, x, y, w1, w2, lr):
        self.sign = -self.sign
        return step(x, y, w1, w2, self.sign * lr)
