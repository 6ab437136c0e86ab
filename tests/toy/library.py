"""A library of a few operations on NumPy arrays, each with a backward that is written by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from symmetry.units.state import Array

FORWARD: dict[str, Callable[..., Array]] = {
    "matmul": lambda a, b: a @ b,
    "add": lambda a, b: a + b,
    "tanh": np.tanh,
    "mean_square": lambda a, b: ((a - b) ** 2).mean(),
}
BACKWARD: dict[str, Callable[..., tuple[Any, ...]]] = {
    "matmul": lambda g, _, a, b: (g @ b.T, a.T @ g),
    "add": lambda g, _, a, b: (g, g if a.shape == b.shape else g.sum(0)),
    "tanh": lambda g, out, _: (g * (1 - out**2),),
    "mean_square": lambda g, _, a, b: (g * 2 * (a - b) / a.size, None),
}


@dataclass(eq=False)
class Tensor:
    """An array, and the operation that made it."""

    array: Array
    operation: str = ""
    inputs: tuple[Tensor, ...] = ()
    gradient: Array | None = None


class Watcher:
    """Sees what a step does; a framework has its own."""

    def called(self, result: Tensor) -> None: ...  # the result of an operation
    def differentiates(self, loss: Tensor) -> None: ...  # before a backward
    def differentiated(self) -> None: ...  # the gradients are there
    def updated(self) -> None: ...  # the parameters have moved


watchers: list[Watcher] = [Watcher()]


def call(operation: str, *operands: Any) -> Tensor:
    """Perform an operation on tensors, or arrays."""
    inputs = tuple(t if isinstance(t, Tensor) else Tensor(np.asarray(t)) for t in operands)
    array = np.asarray(FORWARD[operation](*(t.array for t in inputs)))
    result = Tensor(array, operation, inputs)
    watchers[-1].called(result)
    return result


def backward(loss: Tensor) -> None:
    """Add the gradients of a loss to all tensors that it was made of."""
    watchers[-1].differentiates(loss)
    order: dict[int, Tensor] = {}

    def visit(tensor: Tensor) -> None:
        if id(tensor) not in order:
            for each in tensor.inputs:
                visit(each)
            order[id(tensor)] = tensor

    visit(loss)
    loss.gradient = np.ones_like(loss.array)
    for tensor in reversed(order.values()):
        if tensor.inputs:
            arrays = (each.array for each in tensor.inputs)
            pulled = BACKWARD[tensor.operation](tensor.gradient, tensor.array, *arrays)
            for each, gradient in zip(tensor.inputs, pulled, strict=True):
                if gradient is not None:
                    each.gradient = gradient + (0 if each.gradient is None else each.gradient)
    watchers[-1].differentiated()


class Network:
    """Parameters by name."""

    def __init__(self, **arrays: Array) -> None:
        self.tensors = {name: Tensor(array.astype(np.float32)) for name, array in arrays.items()}

    def __getattr__(self, name: str) -> Tensor:
        return self.tensors[name]

    def update(self, rate: float) -> None:
        """Take a step against the gradients, and clear them."""
        for tensor in self.tensors.values():
            if tensor.gradient is not None:
                tensor.array -= (rate * tensor.gradient).astype(tensor.array.dtype)
                tensor.gradient = None
        watchers[-1].updated()
