"""Operations that only move elements: views, transposes, gathers, paddings with zeros."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from symmetry.finding.exchange import actions
from symmetry.finding.exchange.actions import Action, Actions, derive
from symmetry.finding.exchange.tolerance import Array, same
from symmetry.training.trace import Trace

Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Movement:
    """How an operation moves the elements of its inputs, which are numbered through from 1.

    Actions go through it exactly: equal elements, such as zeros, keep their own numbers.
    """

    values: tuple[int, ...]  # the value of each input
    inputs: dict[int, Numbers]  # the elements' numbers, by the input's value
    # For each element of an output its number; 0 for a zero that comes from no input.
    outputs: list[Numbers]
    count: int  # one more than the largest number

    def forward(self, input_actions: Sequence[Action]) -> list[Action] | None:
        """Return the actions of the outputs under those of the inputs; None if there are none."""
        if any(a and i not in self.inputs for i, a in zip(self.values, input_actions, strict=True)):
            return None
        numbers = self._moved(input_actions)
        outputs = [derive(output, numbers[output]) for output in self.outputs]
        return [a for a in outputs if a is not None] if None not in outputs else None

    def backward(self, q: int, action: Action, input_actions: Sequence[Action]) -> Actions | None:
        """Return the actions of the inputs that give output q an action; None if none do.

        ``input_actions`` are the actions that the inputs have already.
        """
        output, numbers = self.outputs[q], self._moved(input_actions)
        wanted = actions.moved(output, action)
        numbers[output] = wanted
        numbers[0] = 0
        if not np.array_equal(numbers[output], wanted):
            return None
        inputs: Actions = {}
        for i, own in self.inputs.items():
            derived = derive(own, numbers[own])
            if derived is None:
                return None
            inputs[i] = derived
        return inputs

    def _moved(self, input_actions: Sequence[Action]) -> Numbers:
        """Return for each element the number of the one in its place under these actions."""
        numbers = np.arange(self.count)
        for i, own in self.inputs.items():
            numbers[own] = actions.moved(own, input_actions[self.values.index(i)])
        return numbers


def find_movement(trace: Trace, k: int) -> Movement | None:
    """Return how a node moves elements; None if it computes, or may not be tried.

    The node is performed on the elements' numbers: if whole numbers come out that were put in, and
    they stand for the values that the node really yields, it only moves elements. One that does not
    check its indices is not performed: as indices, these numbers may lie beyond its memory.
    """
    node, arrays = trace.nodes[k], trace.arrays
    if not node.checked:
        return None
    inputs, count = _numbered([i for i in node.inputs if is_floating(arrays[i])], arrays)
    numbered = {
        x: inputs[i].astype(arrays[i].dtype) for x, i in enumerate(node.inputs) if i in inputs
    }
    results = trace.perform(k, numbered) if inputs else None
    if results is None or not all(is_floating(r) and _are_numbers(r, count) for r in results):
        return None
    outputs = [r.real.astype(np.int64) for r in results]
    elements = np.concatenate([[0], *(arrays[i].ravel() for i in inputs)])
    really = all(
        same(arrays[o], elements[numbers]) for o, numbers in zip(node.outputs, outputs, strict=True)
    )
    return Movement(node.inputs, inputs, outputs, count) if really else None


def is_floating(array: Array) -> bool:
    """Return whether an array holds real or complex numbers, at least one."""
    return array.dtype.kind in "fc" and array.size > 0


def _numbered(values: Sequence[int], arrays: Sequence[Array]) -> tuple[dict[int, Numbers], int]:
    """Return numbers for the elements of values, from 1 on, and the number after the last."""
    numbers: dict[int, Numbers] = {}
    count = 1
    for i in dict.fromkeys(values):
        numbers[i] = np.arange(count, count + arrays[i].size).reshape(arrays[i].shape)
        count += arrays[i].size
    return numbers, count


def _are_numbers(array: Array, count: int) -> bool:
    """Return whether all entries are whole numbers from 0 to count - 1."""
    with np.errstate(invalid="ignore"):
        index = np.rint(array.real)
        return bool(((index >= 0) & (index < count) & (array == index)).all())
