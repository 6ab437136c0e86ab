"""Problems and steps for the tests of the invariants, independent of the checker's cases."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from symmetry.network import formulas
from symmetry.steps.start import StepStart
from symmetry.steps.target import StepTarget
from tests.catalogues import select

DTYPES = ("float32", "float64")


def make_problem(
    seed=0, n=8, i=5, h=6, c=3, *, lr=0.5, iterations=4, dtype="float64", data="normals", scale=1.0
):
    """Random weights of a scale that suits the data; an integer seed decides everything."""
    rng = np.random.default_rng(seed)
    x = {
        "normals": lambda: rng.normal(size=(n, i)),
        "pixels": lambda: rng.integers(0, 256, (n, i)) * (rng.random((n, i)) < 0.2),
        "equal": lambda: np.tile(rng.normal(size=(1, i)), (n, 1)),
        "zeros": lambda: np.zeros((n, i)),
    }[data]()
    w1 = rng.normal(size=(i + 1, h)) / math.sqrt(1 + (x**2).sum() / n)
    w2 = rng.normal(size=(h + 1, c)) / math.sqrt(1 + h / 4)
    y = np.eye(c)[rng.integers(0, c, n)]
    arrays = (np.asarray(a, dtype) for a in (x, y, scale * w1, scale * w2))
    return StepStart(*arrays, lr, iterations, seed)


def any_problem(seed, dtype):
    """A problem of any size up to 64, any learning rate from 1e-6 to 100, any kind of data."""
    rng = np.random.default_rng([seed, 1])
    n, i, h, c = (int(2 ** rng.uniform(0, limit)) for limit in (6, 6, 6, 3.5))
    return make_problem(
        seed,
        n,
        i,
        h,
        c,
        lr=float(10 ** rng.uniform(-6, 2)) if seed % 10 else 100.0,
        dtype=dtype,
        data=str(rng.choice(["normals", "pixels", "equal", "zeros"])),
        scale=float(rng.choice([1, 0.1, 0.001, 10, 100])),
    )


def with_clones(problem, originals):
    """Unit k becomes a copy of unit ``originals[k]``."""
    rows = [0] + [unit + 1 for unit in originals]
    return replace(problem, w1=problem.w1[:, originals], w2=problem.w2[rows])


def trainer(step, name="step"):
    return StepTarget(name, step)


def start_for(invariant, trainer, problem):
    """The trainer on the problem, from zero weights where the invariant speaks of them."""
    if invariant.weights == {"zero"}:
        problem = replace(problem, w1=0 * problem.w1, w2=0 * problem.w2)
    return replace(problem, target=trainer)


def measuring(name):
    """What measures an invariant of a trainer on a problem."""
    (invariant,) = select([name])
    return lambda trainer, problem: invariant.measure(start_for(invariant, trainer, problem))


first_step, gradient, collapsed = map(
    measuring, ("network/first-step", "network/gradient", "network/collapsed")
)


def exact_step(x, y, w1, w2, lr):
    """The formulas, each sum in the order of its terms whichever unit it belongs to."""
    lr = w1.dtype.type(lr)
    hidden = formulas.sigmoid(product(formulas.prepend_bias(x), w1))
    delta = formulas.softmax(product(formulas.prepend_bias(hidden), w2)) - y
    back = product(delta, w2[1:].T) * formulas.sigmoid_gradient(hidden)
    n = w1.dtype.type(len(x))
    g1 = product(formulas.prepend_bias(x).T, back) / n
    g2 = product(formulas.prepend_bias(hidden).T, delta) / n
    return w1 - lr * g1, w2 - lr * g2


def product(a, b):
    """a @ b, the terms of each sum added one by one from the first to the last."""
    total = np.zeros((a.shape[0], b.shape[1]), a.dtype)
    for k in range(a.shape[1]):
        total = total + a[:, k : k + 1] * b[k]
    return total


def numpy_step(x, y, w1, w2, lr):
    """The formulas on top of a BLAS."""
    return formulas.step(x, y, w1, w2, w1.dtype.type(lr))


def gradients(x, y, w1, w2):
    y_hat, hidden = formulas.forward(x, w1, w2)
    return formulas.back(x, y, y_hat, hidden, w2)


class Momentum:
    gradients = staticmethod(gradients)

    def __init__(self):
        self.velocity = None

    def __call__(self, x, y, w1, w2, lr):
        lr, beta = w1.dtype.type(lr), w1.dtype.type(0.9)
        g = self.gradients(x, y, w1, w2)
        self.velocity = [
            beta * v + new for v, new in zip(self.velocity or (0 * w1, 0 * w2), g, strict=True)
        ]
        return w1 - lr * self.velocity[0], w2 - lr * self.velocity[1]


class Adam:
    gradients = staticmethod(gradients)

    def __init__(self):
        self.moments = None
        self.steps = 0

    def __call__(self, x, y, w1, w2, lr):
        weights, g = (w1, w2), self.gradients(x, y, w1, w2)
        self.moments = self.moments or [(0 * w, 0 * w) for w in weights]
        self.steps += 1
        f = w1.dtype.type
        new = []
        for k in (0, 1):
            m, v = self.moments[k]
            m = f(0.9) * m + f(0.1) * g[k]
            v = f(0.999) * v + f(0.001) * g[k] ** 2
            self.moments[k] = m, v
            m_hat, v_hat = m / f(1 - 0.9**self.steps), v / f(1 - 0.999**self.steps)
            new.append(weights[k] - f(lr) * m_hat / (np.sqrt(v_hat) + f(1e-8)))
        return tuple(new)
