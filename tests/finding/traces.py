"""Traces that are written by hand, in NumPy: no framework records them."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from symmetry.training.trace import Node, Trace


class Steps:
    """Builds a trace: ``apply`` performs one operation on values and returns the result's number.

    Values are given by their numbers; leaves by their names, as attributes.
    """

    def __init__(self, **leaves):
        self.trace = Trace()
        self.trace.leaves = {name: self.data(array) for name, array in leaves.items()}
        self.trace.finals = dict(self.trace.leaves)

    def __getattr__(self, name):
        return self.trace.leaves[name]

    def data(self, array):
        self.trace.arrays.append(np.array(array))
        return len(self.trace.arrays) - 1

    def apply(self, function, *inputs, integers=()):
        values = [self.trace.arrays[i] for i in inputs]

        def perform(arrays):
            return [np.asarray(function(*[arrays.get(x, v) for x, v in enumerate(values)]))]

        (result,) = perform({})
        number = self.data(result)
        self.trace.add(Node(inputs, (number,), frozenset(integers), perform, resizable=True))
        return number

    def end(self, loss):
        self.trace.loss = loss
        return self.trace


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def square_error(y, wanted):
    return ((y - wanted) ** 2).mean()


def network(sizes, between=np.tanh):
    """Return the trace of a network with layers of these sizes; ``between`` follows each layer."""
    pairs = [*pairwise(sizes)]
    leaves = {f"w{n}": normal(a, b, seed=n) for n, (a, b) in enumerate(pairs)}
    leaves |= {f"b{n}": normal(b, seed=n) for n, (_, b) in enumerate(pairs)}
    steps = Steps(**leaves)
    value = steps.data(normal(7, sizes[0]))
    for n in range(len(pairs)):
        value = steps.apply(np.matmul, value, getattr(steps, f"w{n}"))
        value = steps.apply(np.add, value, getattr(steps, f"b{n}"))
        if n < len(pairs) - 1:
            value = steps.apply(between, value)
    return steps.end(steps.apply(square_error, value, steps.data(normal(7, sizes[-1], seed=9))))
