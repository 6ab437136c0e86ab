"""The network of the formulas, called and answered in every way that is agreed."""

from __future__ import annotations

import warnings
from functools import partial

import numpy as np

from tests.sound.entry import sound
from tests.sound.exact import gradients, step

formulas = partial(sound, applies="formulas")
buffers = {}


@formulas("Takes float32 only, and says so.")
def float32_only(x, y, w1, w2, lr):
    assert all(array.dtype == np.float32 for array in (x, y, w1, w2))
    return step(x, y, w1, w2, lr)


float32_only.dtypes = ("float32",)


@formulas("Takes float64 only, and says so.")
def float64_only(x, y, w1, w2, lr):
    assert all(array.dtype == np.float64 for array in (x, y, w1, w2))
    return step(x, y, w1, w2, lr)


float64_only.dtypes = ("float64",)


@formulas("Overwrites the weights it was given and returns them.")
def weights_overwritten(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    w1 -= lr * g1
    w2 -= lr * g2
    return w1, w2


@formulas("Returns arrays in Fortran order.")
def fortran_order(x, y, w1, w2, lr):
    return tuple(np.asfortranarray(weight) for weight in step(x, y, w1, w2, lr))


@formulas("Returns strided views into larger arrays, one of them backwards.")
def strided_views(x, y, w1, w2, lr):
    w1, w2 = step(x, y, w1, w2, lr)
    wide, reverse = np.repeat(w1, 3, axis=1), w2[::-1].copy()
    return wide[:, ::3], reverse[::-1]


@formulas("Returns read-only arrays.")
def read_only_arrays(x, y, w1, w2, lr):
    results = step(x, y, w1, w2, lr)
    for weight in results:
        weight.flags.writeable = False
    return results


@formulas("Returns the same two buffers each time, overwritten: a result is valid until the next.")
def reused_buffers(x, y, w1, w2, lr):
    results = buffers.setdefault(
        (w1.shape, w2.shape, w1.dtype), (np.empty_like(w1), np.empty_like(w2))
    )
    for buffer, weight in zip(results, step(x, y, w1, w2, lr), strict=True):
        buffer[:] = weight
    return results


@formulas("Returns a list.")
def results_in_a_list(x, y, w1, w2, lr):
    return list(step(x, y, w1, w2, lr))


@formulas("A class that keeps its own copy of the weights and counts its steps.")
class KeepsItsState:
    def __init__(self):
        self.steps = 0
        self.weights = None

    def __call__(self, x, y, w1, w2, lr):
        self.steps += 1
        self.weights = step(x, y, w1, w2, lr)
        return self.weights


@formulas("Warns, and divides by zero, at every step.")
def warns(x, y, w1, w2, lr):
    warnings.warn("this step warns", stacklevel=1)
    np.ones(1) / np.zeros(1)
    return step(x, y, w1, w2, lr)


@formulas("Leaves the global generator of random numbers seeded, and used.")
def global_generator_used(x, y, w1, w2, lr):
    np.random.seed(0)
    order = np.random.permutation(len(x))
    return step(x[order], y[order], w1, w2, lr)


@formulas("Leaves NumPy's handling of floating-point errors changed.")
def error_handling_changed(x, y, w1, w2, lr):
    results = step(x, y, w1, w2, lr)
    np.seterr(all="raise")
    return results
