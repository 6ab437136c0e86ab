"""Training data that is chosen or changed, in a copy, in the same way in every run."""

from __future__ import annotations

import numpy as np

from tests.sound.entry import sound
from tests.sound.exact import step

SAMPLES, INPUTS = "symmetry/samples", "symmetry/inputs"


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


@sound("Batches of 16 take turns, so it matters which samples come first.", violates=(SAMPLES,))
class BatchesInTurn:
    def __init__(self):
        self.start = 0

    def __call__(self, x, y, w1, w2, lr):
        batch = slice(self.start, self.start + 16)
        self.start = batch.stop if batch.stop < len(x) else 0
        return step(x[batch], y[batch], w1, w2, lr)


@sound("Each step draws its samples by their place, seeded.", violates=(SAMPLES,))
class SamplesDrawn(Seeded):
    def __call__(self, x, y, w1, w2, lr):
        drawn = self.random.integers(len(x), size=len(x))
        return step(x[drawn], y[drawn], w1, w2, lr)


@sound(
    "Inputs of each sample drop out, the same for all units, seeded by their place.",
    violates=(SAMPLES, INPUTS),
)
class InputDropout(Seeded):
    def __call__(self, x, y, w1, w2, lr):
        return step(x * (self.random.random(x.shape) < 0.8), y, w1, w2, lr)


@sound("Inputs are multiplied by noise, seeded by their place.", violates=(SAMPLES, INPUTS))
class InputsWithNoise(Seeded):
    def __call__(self, x, y, w1, w2, lr):
        noise = self.random.normal(1, 0.1, x.shape).astype(x.dtype)
        return step(x * noise, y, w1, w2, lr)


@sound("Labels of samples are exchanged by their place, seeded.", violates=(SAMPLES,))
class LabelsWithNoise(Seeded):
    def __call__(self, x, y, w1, w2, lr):
        order = np.where(self.random.random(len(y)) < 0.1, 0, np.arange(len(y)))
        return step(x, y[order], w1, w2, lr)


@sound("Samples are mixed in pairs, by their place, seeded.", violates=(SAMPLES,))
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
