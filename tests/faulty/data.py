"""Training data that is not what the step was given."""

from __future__ import annotations

import numpy as np

from tests.faulty.fault import fault
from tests.sound.exact import step


@fault("TCL", "symmetry/classes", wrong="Labels are off by one class.")
def labels_off_by_one(x, y, w1, w2, lr):
    return step(x, np.roll(y, 1, axis=1), w1, w2, lr)


@fault("TRD", "symmetry/samples", wrong="The last sample is left out.")
def last_sample_left_out(x, y, w1, w2, lr):
    kept = max(1, len(x) - 1)
    return step(x[:kept], y[:kept], w1, w2, lr)


@fault("TUD", "symmetry/classes", wrong="Half of the samples of class 0 are left out.")
def class_zero_halved(x, y, w1, w2, lr):
    kept = (y[:, 0] == 0) | (np.arange(len(y)) % 2 == 0)
    if not kept.any():
        kept[:] = True
    return step(x[kept], y[kept], w1, w2, lr)


@fault("TAN", "symmetry/dead-inputs", wrong="Noise is added to the inputs, the dark ones as well.")
def noise_in_the_inputs(x, y, w1, w2, lr):
    noise = np.random.default_rng(0).normal(0, 0.01, x.shape).astype(x.dtype)
    return step(x + noise, y, w1, w2, lr)


@fault("TCO", "symmetry/classes", wrong="Samples of class 0 count half as class 1.")
def classes_overlap(x, y, w1, w2, lr):
    overlapping = y.copy()
    overlapping[:, :2] = y[:, :2].mean(axis=1, keepdims=True)
    return step(x, overlapping, w1, w2, lr)


@fault("HBS", "symmetry/samples", wrong="Only the first batch of 32 samples is trained on.")
def first_batch_only(x, y, w1, w2, lr):
    return step(x[:32], y[:32], w1, w2, lr)


@fault("HBS", "symmetry/repeatable", wrong="Each step draws its samples, unseeded.", varies=True)
def samples_drawn_unseeded(x, y, w1, w2, lr):
    drawn = np.random.default_rng().integers(len(x), size=len(x))
    return step(x[drawn], y[drawn], w1, w2, lr)


@fault("interface", "network/gradient", wrong="Inputs are cast to bytes, as if all were pixels.")
def inputs_cast_to_bytes(x, y, w1, w2, lr):
    return step(x.astype(np.int64).astype(np.uint8).astype(x.dtype), y, w1, w2, lr)


@fault("interface", "symmetry/dead-inputs", wrong="Inputs are centred on the mean of them all.")
def inputs_centred_on_one_mean(x, y, w1, w2, lr):
    return step(x - x.mean(), y, w1, w2, lr)
