"""Other optimisers: elementwise rules, and rules that use one number of a whole matrix."""

from __future__ import annotations

import math

import numpy as np

from tests.sound.entry import sound
from tests.sound.exact import gradients

# They take one step only, in which some do not move yet.
ONE_STEP = ("symmetry/permutation", "symmetry/samples", "symmetry/inputs", "symmetry/classes")


class Optimiser:
    """Calls `update` with the gradient and the memory of each matrix."""

    def __init__(self):
        self.steps = 0
        self.memories = {}, {}

    def __call__(self, x, y, w1, w2, lr):
        self.steps += 1
        triples = zip((w1, w2), gradients(x, y, w1, w2), self.memories, strict=True)
        return tuple(w - self.update(w, g, memory, lr) for w, g, memory in triples)

    def average(self, memory, name, value, decay):
        """Return the exponential moving average of the values so far."""
        memory[name] = decay * memory.get(name, 0) + (1 - decay) * value
        return memory[name]


@sound("Momentum of 0.9.")
class Momentum(Optimiser):
    def update(self, w, g, memory, lr):
        memory["velocity"] = 0.9 * memory.get("velocity", 0) + g
        return lr * memory["velocity"]


@sound("Nesterov's momentum.")
class Nesterov(Optimiser):
    def update(self, w, g, memory, lr):
        memory["velocity"] = 0.9 * memory.get("velocity", 0) + g
        return lr * (g + 0.9 * memory["velocity"])


@sound("Adam.")
class Adam(Optimiser):
    decay = 0.0

    def update(self, w, g, memory, lr):
        mean = self.average(memory, "mean", g, 0.9) / (1 - 0.9**self.steps)
        square = self.average(memory, "square", g * g, 0.999) / (1 - 0.999**self.steps)
        return lr * (mean / (np.sqrt(square) + 1e-8) + self.decay * w)


@sound("Adam with decoupled weight decay.")
class AdamW(Adam):
    decay = 0.01


@sound("AMSGrad: Adam that remembers the largest square.")
class AMSGrad(Optimiser):
    def update(self, w, g, memory, lr):
        mean = self.average(memory, "mean", g, 0.9)
        square = self.average(memory, "square", g * g, 0.999)
        memory["largest"] = np.maximum(memory.get("largest", 0), square)
        return lr * mean / (np.sqrt(memory["largest"]) + 1e-8)


@sound("Adamax: Adam in the maximum norm.")
class Adamax(Optimiser):
    def update(self, w, g, memory, lr):
        mean = self.average(memory, "mean", g, 0.9)
        memory["norm"] = np.maximum(0.999 * memory.get("norm", 0), np.abs(g))
        return lr * mean / (memory["norm"] + 1e-8)


@sound("RMSprop.")
class RMSprop(Optimiser):
    def update(self, w, g, memory, lr):
        return lr * g / (np.sqrt(self.average(memory, "square", g * g, 0.9)) + 1e-7)


@sound("Adagrad.")
class Adagrad(Optimiser):
    def update(self, w, g, memory, lr):
        memory["sum"] = memory.get("sum", 0) + g * g
        return lr * g / (np.sqrt(memory["sum"]) + 1e-7)


@sound("Adadelta.")
class Adadelta(Optimiser):
    def update(self, w, g, memory, lr):
        square = self.average(memory, "square", g * g, 0.95)
        move = g * np.sqrt(memory.get("moves", 0 * g) + 1e-6) / np.sqrt(square + 1e-6)
        self.average(memory, "moves", move * move, 0.95)
        return lr * move


@sound("Only the gradient's sign counts.")
class SignDescent(Optimiser):
    def update(self, w, g, memory, lr):
        return lr * np.sign(g)


@sound("Lion: the sign of an average.")
class Lion(Optimiser):
    def update(self, w, g, memory, lr):
        direction = np.sign(0.9 * memory.get("mean", 0) + 0.1 * g)
        self.average(memory, "mean", g, 0.99)
        return lr * (direction + 0.01 * w)


@sound("Weight decay, all weights alike.")
class WeightDecay(Optimiser):
    def update(self, w, g, memory, lr):
        return lr * (g + 0.01 * w)


@sound("Weights shrink towards zero by a fixed amount: the lasso's soft threshold.")
class SoftThreshold(Optimiser):
    def update(self, w, g, memory, lr):
        moved = w - lr * g
        return w - np.sign(moved) * np.maximum(np.abs(moved) - 0.001 * lr, 0)


@sound("Gradients are clipped, each by itself.")
class ClippedByValue(Optimiser):
    def update(self, w, g, memory, lr):
        return lr * np.clip(g, -0.01, 0.01)


@sound("Gradients are clipped by the norm of their matrix.")
class ClippedByNorm(Optimiser):
    def update(self, w, g, memory, lr):
        return lr * g / np.maximum(1, np.sqrt((g * g).sum()))


@sound("The trust ratio of LARS: a matrix moves in proportion to its norm.")
class TrustRatio(Optimiser):
    def update(self, w, g, memory, lr):
        weight, slope = np.sqrt((w * w).sum()), np.sqrt((g * g).sum())
        return lr * g * (weight / slope if weight * slope > 0 else 1)


@sound("Each column is kept within a ball: a max-norm constraint.")
class ColumnsInABall(Optimiser):
    def update(self, w, g, memory, lr):
        moved = w - lr * g
        return w - moved / np.maximum(1, np.sqrt((moved * moved).sum(axis=0)))


@sound("The learning rate falls with the steps of the run.")
class LearningRateFalls(Optimiser):
    def update(self, w, g, memory, lr):
        return lr * g / self.steps


@sound("The learning rate starts at zero: the first step does not move.", vacuous=ONE_STEP)
class WarmUp(Optimiser):
    def update(self, w, g, memory, lr):
        return lr * (1 - math.cos((self.steps - 1) / 3)) / 2 * g


@sound("Weights move in every second step, by the sum of two gradients.", vacuous=ONE_STEP)
class AccumulatesTwoSteps(Optimiser):
    def update(self, w, g, memory, lr):
        memory["sum"] = memory.get("sum", 0) + g
        return lr * memory.pop("sum") if self.steps % 2 == 0 else 0 * w
