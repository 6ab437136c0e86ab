"""The effects of a trace's operations on exchanges, learned by performing them.

No operation is recognised by its name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from symmetry.finding.exchange import actions
from symmetry.finding.exchange.actions import Action, Actions, derive
from symmetry.finding.exchange.movement import Movement, find_movement, is_floating
from symmetry.finding.exchange.tolerance import Array, changed, positions, same
from symmetry.training.trace import Trace

SlotAxis = tuple[int, int]
_LARGE = 30_000  # entries of an output; in a row of a smaller one less would be saved
_ROWS = 4  # of an output, at least
R = TypeVar("R")


@dataclass(frozen=True)
class Row:
    """A row of a node's output that only depends on the same row of some inputs."""

    inputs: tuple[int, ...]  # their positions
    number: int

    def of(self, array: Array) -> Array:
        """Return this row of an array: the only one of its first axis."""
        return array[self.number : self.number + 1]

    def actions(self, input_actions: Sequence[Action]) -> tuple[Action, ...] | None:
        """Return the effect of the inputs' actions on this row; None if it gets another place."""
        there = [*input_actions]
        for x in self.inputs:
            if any(a == 0 and self.number in chain(*pairs) for a, pairs, _ in there[x]):
                return None
            there[x] = tuple(
                (axis, pairs, tuple(limit for limit in within if limit[0] != 0))
                for axis, pairs, within in there[x]
                if axis != 0 and self.number in dict(within).get(0, (self.number,))
            )
        return tuple(there)


class Operations:
    """The operations of one trace, each of which can be performed on exchanged inputs.

    Inputs and outputs of a node have *slots*: inputs 0, 1, ... and outputs -1, -2, ... in their
    order, so that slot ``~q`` is output q. ``input_actions`` holds an action for each input.
    All results are cached. ``like`` are the operations of a trace from which this one was made by
    changing some nodes: at all others the effects are the same, and come from there.
    """

    def __init__(self, trace: Trace, like: Operations | None = None) -> None:
        self.trace = trace
        self._like = like
        self.forward = self._cached(self._forward)
        self.backward = self._cached(self._backward)
        self.yields = self._cached(self._yields)
        self.movement = self._cached(self._movement)
        self.ties = self._cached(self._ties)
        self.changed_positions = self._cached(self._changed_positions)
        self.row = self._cached(self._row)

    def _cached(self, own: Callable[..., R]) -> Callable[..., R]:
        """Return an effect of nodes, cached; where a node is unchanged, it is known already."""
        like = self._like
        known = own if like is None else getattr(like, own.__name__.removeprefix("_"))

        def effect(k: int, *arguments: Any) -> R:
            unchanged = like is not None and like.trace.nodes[k] is self.trace.nodes[k]
            result: R = (known if unchanged else own)(k, *arguments)
            return result

        return cache(effect)

    def shape(self, k: int, slot: int) -> tuple[int, ...]:
        """Return the shape of an input or output of a node."""
        node = self.trace.nodes[k]
        return self.trace.arrays[node.inputs[slot] if slot >= 0 else node.outputs[~slot]].shape

    def tied_axes(self, k: int, slot: int, axis: int) -> dict[int, int]:
        """Return the axis of each input and output, by slot, that is tied to one of them."""
        tied, todo = {slot: axis}, [(slot, axis)]
        ties = self.ties(k, self.shape(k, slot)[axis])
        for place in todo:
            for pair in ties:
                for s, a in pair if place in pair else ():
                    if s not in tied:
                        tied[s] = a
                        todo.append((s, a))
        return tied

    def is_new_axis(self, k: int, q: int, axis: int) -> bool:
        """Return whether an axis of output q is tied to no input's axis: a view made it."""
        size = self.shape(k, ~q)[axis]
        return all((~q, axis) not in pair for pair in self.ties(k, size))

    def _forward(self, k: int, input_actions: tuple[Action, ...]) -> list[Action] | None:
        """Return the actions of a node's outputs under those of its inputs; None if one has none.

        Outputs that neither the loss nor a final value is computed from need no action.
        """
        node, outputs = self.trace.nodes[k], list[Action]()
        if not any(input_actions):
            return [()] * len(node.outputs)
        movement = self.movement(k)
        if movement is not None and (exact := movement.forward(input_actions)):
            return exact
        if self._differs_in_a_row(k, input_actions):
            return None
        results = self.trace.perform(k, self._moved(k, input_actions))
        if results is None:
            return None
        for output, result in zip(node.outputs, results, strict=True):
            action = derive(self.trace.arrays[output], result, [a for a in input_actions if a])
            if action is None and output in self.trace.into_results:
                return None
            outputs.append(action or ())
        return outputs

    def _differs_in_a_row(self, k: int, input_actions: tuple[Action, ...]) -> bool:
        """Return whether one row of a node's large output shows that it has no action.

        Most exchanges that are tried fail, and one row of several takes a fraction of the time.
        """
        row = self.row(k)
        actions_there = None if row is None else row.actions(input_actions)
        if row is None or actions_there is None or not any(actions_there):
            return False
        node, arrays = self.trace.nodes[k], self.trace.arrays
        own = {x: row.of(arrays[node.inputs[x]]) for x in row.inputs}
        results = self.trace.perform(k, self._moved(k, actions_there, own))
        hints = [a for a in actions_there if a]
        return (
            results is not None
            and derive(row.of(arrays[node.outputs[0]]), results[0], hints) is None
        )

    def _row(self, k: int) -> Row | None:
        """Return a row of a node's only output, if it is large and made of the inputs' same rows.

        Rows are slices of the first axis, such as samples. It is the one with the largest entry:
        another one might hold nothing but rounding.
        """
        node, arrays = self.trace.nodes[k], self.trace.arrays
        if len(node.outputs) != 1 or self.trace.into_results.isdisjoint(node.outputs):
            return None
        old = arrays[node.outputs[0]]
        large = is_floating(old) and old.size >= _LARGE and len(old) >= _ROWS
        if not (large and node.checked and node.resizable):
            return None
        sizes = abs(old).max(axis=tuple(range(1, old.ndim)))
        slots = [x for x, i in enumerate(node.inputs) if arrays[i].shape[:1] == old.shape[:1]]
        for inputs in dict.fromkeys((tuple(slots), tuple(slots[:1]))):
            row = Row(inputs, int(sizes.argmax()))
            results = self.trace.perform(k, {x: row.of(arrays[node.inputs[x]]) for x in inputs})
            if inputs and results is not None and same(row.of(old), results[0]):
                return row
        return None

    def _backward(
        self, k: int, q: int, action: Action, input_actions: tuple[Action, ...]
    ) -> Actions | None:
        """Return actions of a node's inputs that give output q an action, if it moves elements."""
        movement = self.movement(k)
        return None if movement is None else movement.backward(q, action, input_actions)

    def _yields(self, k: int, q: int, action: Action, input_actions: tuple[Action, ...]) -> bool:
        """Return whether output q of a node has an action if the inputs have these."""
        old = self.trace.arrays[self.trace.nodes[k].outputs[q]]
        results = self.trace.perform(k, self._moved(k, input_actions))
        return results is not None and same(actions.moved(old, action), results[q])

    def _movement(self, k: int) -> Movement | None:
        return find_movement(self.trace, k)

    def _ties(self, k: int, size: int) -> list[tuple[SlotAxis, SlotAxis]]:
        """Return which axes of this size are tied: one of an input and one of an output.

        Slice p of such an output depends on slice p of the input, and on none of its other slices.
        It is tried out by changing the slice in the middle.
        """
        ties: list[tuple[SlotAxis, SlotAxis]] = []
        for x, i in enumerate(self.trace.nodes[k].inputs):
            array = self.trace.arrays[i]
            if i not in self.trace.from_leaves or not is_floating(array) or size < 2:
                continue
            for axis in (a for a, own in enumerate(array.shape) if own == size):
                place = (slice(None),) * axis + (size // 2,)
                other = np.array(array, order="C")
                other[place] = other[place] * 0.73 + 0.11
                for q, mask in enumerate(self._changes(k, {x: other})):
                    for b, places in enumerate(positions(mask)):
                        if mask.shape[b] == size and places == (size // 2,):
                            ties.append(((x, axis), (~q, b)))
        return ties

    def _changed_positions(
        self, k: int, input_actions: tuple[Action, ...]
    ) -> list[tuple[int, tuple[int, ...]]]:
        """Return sizes of output axes, each with the positions that change, if some do not."""
        return [
            (size, places)
            for mask in self._changes(k, self._moved(k, input_actions))
            for size, places in zip(mask.shape, positions(mask), strict=True)
            if 0 < len(places) < size
        ]

    def _changes(self, k: int, arrays: Mapping[int, Array]) -> list[NDArray[np.bool_]]:
        """Return where outputs differ if some inputs, by position, hold other arrays."""
        olds = [self.trace.arrays[o] for o in self.trace.nodes[k].outputs]
        news = self.trace.perform(k, arrays) or olds
        return [
            changed(old, new) if old.shape == new.shape else np.zeros((), bool)
            for old, new in zip(olds, news, strict=False)
        ]

    def _moved(
        self, k: int, input_actions: Sequence[Action], own: Mapping[int, Array] | None = None
    ) -> dict[int, Array]:
        """Return the arrays of the inputs that have an action, by position, after it.

        Some inputs, by position, may hold arrays of their ``own``.
        """
        arrays, inputs, own = self.trace.arrays, self.trace.nodes[k].inputs, own or {}
        return {
            x: actions.moved(own[x] if x in own else arrays[inputs[x]], a)
            for x, a in enumerate(input_actions)
            if a or x in own
        }
