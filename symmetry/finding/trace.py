"""The trace of a training's first step, or two: every operation up to its losses, repeatable."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch.utils._pytree import tree_leaves

from symmetry.finding.actions import Array, same
from symmetry.observe.torch import Operation

Perform = Callable[[Sequence[torch.Tensor]], list[torch.Tensor]]


@dataclass(frozen=True)
class Node:
    """One operation of the trace."""

    inputs: tuple[int, ...]  # the numbers of the values that it takes
    outputs: tuple[int, ...]
    integers: frozenset[int]  # those among its arguments: sizes, numbers of groups
    perform: Perform  # performs it on other tensors


class Trace:
    """Observes steps. Values are numbered in the order in which they come about.

    A tensor that is written into is another value from then on. ``leaves``, the named tensors that
    units may lie in, are given; the trace has their numbers. ``tensors`` and ``arrays`` are the
    values, sharing memory: they stay what they are whatever becomes of the training's own tensors.
    ``finals`` are the numbers of what the leaves' names stand for in the end. ``maker`` and
    ``users`` have, for each value, the number of the node that yields it and of those that take it.
    """

    def __init__(self, leaves: Mapping[str, torch.Tensor]) -> None:
        self.tensors: list[torch.Tensor] = []
        self.arrays: list[Array] = []
        self.nodes: list[Node] = []
        self.maker: dict[int, int] = {}
        self.users: dict[int, list[int]] = defaultdict(list)
        self._numbers: dict[int, int] = {}  # by id: every tensor that was seen is kept alive
        self._memories: dict[int, int] = {}  # by id
        self._alive: dict[int, list[torch.Tensor]] = defaultdict(list)  # by memory
        self.leaves = {name: self._value(tensor) for name, tensor in leaves.items()}
        self.names = {number: name for name, number in self.leaves.items()}
        self.finals = self.leaves

    def before(self, operation: Operation) -> None:
        """Take operands that come from outside."""
        for tensor in operation.operands:
            self._number(tensor)

    def after(self, operation: Operation) -> None:
        """Take what the operation yields."""
        inputs = tuple(self._number(tensor) for tensor in operation.operands)
        made, written = operation.made, operation.written
        kept = replace(operation, operands=(), results=())  # lets go of the tensors

        def perform(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
            done = kept.perform(tensors)
            return [*done.made, *done.written]

        if operation.blank or (operation.random and not self._repeats(perform, inputs)):
            for tensor in [*made, *written]:
                self._value(tensor)
            return
        shown: Sequence[torch.Tensor | None] = [None] * (len(made) + len(written))
        if operation.view:  # of the values, so that they share memory
            shown = perform([self.tensors[i] for i in inputs])
        outputs = [self._value(t, v) for t, v in zip([*made, *written], shown, strict=True)]
        whole = frozenset(a for a in tree_leaves(operation.arguments) if type(a) is int)
        self._add(Node(inputs, tuple(outputs), whole, perform))
        for tensor in written:
            self._update_aliases(tensor)

    def add_sum(self, terms: Sequence[tuple[torch.Tensor, float]]) -> int:
        """Add the sum of all entries of tensors, each with a weight; return the value's number."""
        weights = [weight for _, weight in terms]

        def perform(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
            sums = [t.double().sum() * w for t, w in zip(tensors, weights, strict=True)]
            return [torch.stack(sums).sum()]

        inputs = tuple(self._number(tensor) for tensor, _ in terms)
        output = self._value(*perform([self.tensors[i] for i in inputs]))
        self._add(Node(inputs, (output,), frozenset(), perform))
        return output

    def upstream(self, values: set[int]) -> set[int]:
        """Return the values that these are made of, themselves included."""
        found = set(values)
        for node in reversed(self.nodes):
            if not found.isdisjoint(node.outputs):
                found.update(node.inputs)
        return found

    def downstream(self, values: set[int]) -> set[int]:
        """Return the values that are made of these, themselves included."""
        found = set(values)
        for node in self.nodes:
            if not found.isdisjoint(node.inputs):
                found.update(node.outputs)
        return found

    def end(self, leaves: Mapping[str, torch.Tensor]) -> None:
        """Note the values of the leaves' names now; let go of the training's own tensors.

        A step may give a buffer's name to another tensor.
        """
        ends = {name: self._known(tensor) for name, tensor in leaves.items()}
        self.finals = self.leaves | {name: i for name, i in ends.items() if i is not None}
        self._alive.clear()

    def _number(self, tensor: torch.Tensor) -> int:
        known = self._known(tensor)
        return self._value(tensor) if known is None else known

    def _known(self, tensor: torch.Tensor) -> int | None:
        """Return the number of the value that a tensor holds; None if it is a new one.

        No operation tells of ``tensor.data``, nor of another tensor that is made a tensor's data:
        what has the same memory and layout has the same value.
        """
        memory = _memory(tensor)
        if self._memories.get(id(tensor)) != memory:
            twins = (t for t in self._alive[memory] if _layout(t) == _layout(tensor))
            twin = next(twins, None)
            if twin is None:
                return None
            self._note(tensor, self._numbers[id(twin)])
        return self._numbers[id(tensor)]

    def _value(self, tensor: torch.Tensor, value: torch.Tensor | None = None) -> int:
        """Give a number to what a tensor holds now: a copy, if no value is given."""
        value = tensor.detach().clone() if value is None else value
        self.tensors.append(value)
        self.arrays.append(to_array(value))
        self._note(tensor, len(self.tensors) - 1)
        return len(self.tensors) - 1

    def _note(self, tensor: torch.Tensor, number: int) -> None:
        old, memory = self._memories.get(id(tensor)), _memory(tensor)
        if old != memory:
            self._alive[memory].append(tensor)
            if old is not None:
                self._alive[old] = [t for t in self._alive[old] if t is not tensor]
        self._numbers[id(tensor)], self._memories[id(tensor)] = number, memory

    def _add(self, node: Node) -> None:
        for value in node.outputs:
            self.maker[value] = len(self.nodes)
        for value in dict.fromkeys(node.inputs):
            self.users[value].append(len(self.nodes))
        self.nodes.append(node)

    def _repeats(self, perform: Perform, inputs: Sequence[int]) -> bool:
        """Return whether an operation that may be random does the same twice."""
        with torch.random.fork_rng(devices=[]):
            runs = [[*map(to_array, perform([self.tensors[i] for i in inputs]))] for _ in range(2)]
        return all(map(same, *runs))

    def _update_aliases(self, written: torch.Tensor) -> None:
        """Give new values to other tensors that show the memory which was written to."""
        number = self._number(written)
        for other in self._alive[_memory(written)]:
            old = self._numbers[id(other)]
            if other is written or same(to_array(other.detach()), self.arrays[old]):
                continue
            perform = _overlay(written, other)
            self._add(Node((number, old), (self._value(other),), frozenset(), perform))


def to_array(tensor: torch.Tensor) -> Array:
    """Return the numbers of a tensor, without a copy where that is possible."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    array: Array = tensor.resolve_conj().resolve_neg().numpy()
    return array


def _memory(tensor: torch.Tensor) -> int:
    strided = tensor.layout is torch.strided
    return tensor.untyped_storage().data_ptr() if strided else id(tensor)


def _layout(tensor: torch.Tensor) -> tuple[object, ...]:
    strided = tensor.layout is torch.strided
    where = (tensor.stride(), tensor.storage_offset()) if strided else ()
    return tensor.dtype, tensor.shape, where


def _overlay(written: torch.Tensor, other: torch.Tensor) -> Perform:
    """Return the operation that shows in ``other`` what was written to the memory of both."""
    entries = written.untyped_storage().nbytes() // written.element_size()
    layouts = [(t.shape, t.stride(), t.storage_offset()) for t in (written, other)]

    def perform(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        memory = torch.zeros(entries, dtype=tensors[1].dtype)
        for (shape, stride, offset), tensor in reversed([*zip(layouts, tensors, strict=True)]):
            memory.as_strided(shape, stride, offset).copy_(tensor)
        shape, stride, offset = layouts[1]
        return [memory.as_strided(shape, stride, offset).clone()]

    return perform
