"""What outlives its run, what is written where it should not be, and what comes back wrong."""

from __future__ import annotations

import time

import numpy as np

from tests.faulty.fault import fault
from tests.sound.exact import gradients, step

velocities = {}
cache = {}
accumulators = {}
calls = 0
kept = None
born = time.perf_counter()


@fault("state", "symmetry/repeatable", wrong="Momentum is kept in the module, by shape.")
def momentum_in_the_module(x, y, w1, w2, lr):
    shapes = w1.shape, w2.shape, w1.dtype
    old1, old2 = velocities.get(shapes, (0, 0))
    g1, g2 = gradients(x, y, w1, w2)
    velocities[shapes] = v1, v2 = 0.5 * old1 + g1, 0.5 * old2 + g2
    return w1 - lr * v1, w2 - lr * v2


@fault("state", "symmetry/repeatable", wrong="Averages belong to the class, not to the instance.")
class AveragesOfTheClass:
    averages = {}  # noqa: RUF012 - this is the fault

    def __call__(self, x, y, w1, w2, lr):
        g1, g2 = gradients(x, y, w1, w2)
        average = self.averages.get(w1.shape, 0)
        self.averages[w1.shape] = average = (average + float(np.abs(g1).mean())) / 2
        return w1 - lr / (1 + average) * g1, w2 - lr * g2


@fault("state", "symmetry/repeatable", wrong="The rate falls with a count that is never reset.")
def steps_counted_in_the_module(x, y, w1, w2, lr):
    global calls
    calls += 1
    return step(x, y, w1, w2, lr / (1 + calls % 100))


@fault("state", "symmetry/repeatable", wrong="Inputs are read anew only when their shape changes.")
def inputs_kept_while_the_shape_stays(x, y, w1, w2, lr):
    global kept
    if kept is None or kept.shape != x.shape or kept.dtype != x.dtype:
        kept = x.copy()
    return step(kept, y, w1, w2, lr)


@fault("state", "network/gradient", wrong="Inputs are cached by their shape, for ever.")
def inputs_cached_by_shape(x, y, w1, w2, lr):
    return step(cache.setdefault((x.shape, x.dtype), x.copy()), y, w1, w2, lr)


@fault("state", "symmetry/repeatable", wrong="The sum of the gradients is not cleared.")
def accumulator_not_cleared(x, y, w1, w2, lr):
    g1, g2 = gradients(x, y, w1, w2)
    total = accumulators.setdefault((w1.shape, w1.dtype), np.zeros_like(w1))
    total += g1
    return w1 - lr * total, w2 - lr * g2


@fault("state", "symmetry/repeatable", wrong="The rate falls with the time of day.", varies=True)
def learning_rate_by_the_clock(x, y, w1, w2, lr):
    return step(x, y, w1, w2, lr / (1 + time.perf_counter() - born))


@fault("interface", "symmetry/pure", wrong="Inputs are scaled where they are.")
def inputs_scaled_in_place(x, y, w1, w2, lr):
    x /= max(1, x.max())
    return step(x, y, w1, w2, lr)


@fault("interface", "symmetry/pure", wrong="Samples are shuffled where they are.")
def samples_shuffled_in_place(x, y, w1, w2, lr):
    order = np.random.default_rng(0).permutation(len(x))
    x[:], y[:] = x[order], y[order]
    return step(x, y, w1, w2, lr)


@fault("interface", "symmetry/pure", wrong="The residual is written over the labels.")
def residual_written_over_the_labels(x, y, w1, w2, lr):
    def loss(logits, y):
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.subtract(exponentials / exponentials.sum(axis=1, keepdims=True), y, out=y)

    return step(x, y, w1, w2, lr, loss=loss)


@fault("interface", "symmetry/pure", wrong="Weights come back in double precision.", kind="error")
def double_precision_returned(x, y, w1, w2, lr):
    return tuple(weight.astype(np.float64) for weight in step(x, y, w1, w2, lr))


@fault("interface", "symmetry/pure", wrong="w1 comes back without its bias row.", kind="error")
def bias_row_lost(x, y, w1, w2, lr):
    w1, w2 = step(x, y, w1, w2, lr)
    return w1[1:], w2


@fault(
    "interface", "symmetry/pure", wrong="A single sample or input is squeezed away.", kind="error"
)
def single_dimension_squeezed(x, y, w1, w2, lr):
    return step(x.squeeze(), y, w1, w2, lr)
