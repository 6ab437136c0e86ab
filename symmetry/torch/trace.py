"""Making a trace of the operations that PyTorch performs."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils._pytree import tree_leaves

from symmetry.observe.call import filler
from symmetry.observe.source_line import NOWHERE, SourceLine, asked_at
from symmetry.torch.watch.operations import Operation, tensors_in
from symmetry.training.trace import Node, Trace
from symmetry.units.state import Array

_Again = Callable[[Sequence[torch.Tensor]], list[torch.Tensor]]  # performs an operation again


class Tracer:
    """Observes steps, and makes a trace of them.

    A tensor that is written into is another value from then on. ``leaves``, the named tensors that
    units may lie in, are given. ``trace`` is what there is of the trace so far.
    """

    def __init__(self, leaves: Mapping[str, torch.Tensor]) -> None:
        self.trace = Trace()
        self._tensors: list[torch.Tensor] = []  # the values, which share memory with the arrays
        self._numbers: dict[int, int] = {}  # by id: every tensor that was seen is kept alive
        self._memories: dict[int, int] = {}  # by id
        self._alive: dict[int, list[torch.Tensor]] = defaultdict(list)  # by memory
        self.trace.leaves = {name: self._value(tensor) for name, tensor in leaves.items()}

    def before(self, operation: Operation) -> None:
        """Take operands that come from outside."""
        for tensor in operation.operands:
            self.number_of(tensor)

    def after(self, operation: Operation) -> None:
        """Take what the operation yields."""
        inputs = tuple(self.number_of(tensor) for tensor in operation.operands)
        made, written = operation.new, operation.written
        again = _repeated(operation)
        if operation.blank or (operation.random and not self._repeats(operation, again, inputs)):
            for tensor in [*made, *written]:
                self._value(tensor)
            return
        shown: Sequence[torch.Tensor | None] = [None] * (len(made) + len(written))
        if operation.view:  # of the values, so that they share memory
            shown = again([self._tensors[i] for i in inputs])
        outputs = [self._value(t, v) for t, v in zip([*made, *written], shown, strict=True)]
        whole = frozenset(a for a in tree_leaves(operation.arguments) if type(a) is int)
        origin = operation.name, asked_at()
        checked = operation.func.namespace == "aten"  # roi_align of torchvision reads anywhere
        self._add(inputs, outputs, again, whole, origin, checked=checked)
        for tensor in written:
            self._update_aliases(tensor, origin)

    def end(self, losses: Sequence[tuple[torch.Tensor, float]], leaves: Mapping[str, Any]) -> Trace:
        """Add the sum of all entries of losses, each with a weight; return the whole trace.

        ``leaves`` are the tensors of the leaves' names now: a step may give a buffer's name to
        another one. The training's own tensors are let go of.
        """
        factors = [weight for _, weight in losses]

        def again(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
            sums = [t.double().sum() * w for t, w in zip(tensors, factors, strict=True)]
            return [torch.stack(sums).sum()]

        trace, inputs = self.trace, tuple(self.number_of(tensor) for tensor, _ in losses)
        trace.loss = self._value(*again([self._tensors[i] for i in inputs]))
        self._add(inputs, [trace.loss], again)
        ends = {name: self.known(tensor) for name, tensor in leaves.items()}
        trace.finals = trace.leaves | {name: i for name, i in ends.items() if i is not None}
        self._alive.clear()
        return trace

    def number_of(self, tensor: torch.Tensor) -> int:
        """Return the number of the value that a tensor holds, which may be a new one."""
        known = self.known(tensor)
        return self._value(tensor) if known is None else known

    def known(self, tensor: torch.Tensor) -> int | None:
        """Return the number of the value that a tensor holds; None if it is a new one.

        ``tensor.data`` is no operation, nor is its assignment: tensors with the same memory and
        layout have the same value.
        """
        memory = _memory(tensor)
        if self._memories.get(id(tensor)) != memory:
            others = (t for t in self._alive[memory] if _layout(t) == _layout(tensor))
            other = next(others, None)
            if other is None:
                return None
            self._note(tensor, self._numbers[id(other)])
        return self._numbers[id(tensor)]

    def _value(self, tensor: torch.Tensor, value: torch.Tensor | None = None) -> int:
        """Give a number to the present contents of a tensor: a copy, unless a value is given."""
        value = tensor.detach().clone() if value is None else value
        self._tensors.append(value)
        self.trace.arrays.append(to_array(value))
        self._note(tensor, len(self._tensors) - 1)
        return len(self._tensors) - 1

    def _note(self, tensor: torch.Tensor, number: int) -> None:
        old, memory = self._memories.get(id(tensor)), _memory(tensor)
        if old != memory:
            self._alive[memory].append(tensor)
            if old is not None:
                self._alive[old] = [t for t in self._alive[old] if t is not tensor]
        self._numbers[id(tensor)], self._memories[id(tensor)] = number, memory

    def _add(
        self,
        inputs: tuple[int, ...],
        outputs: Sequence[int],
        again: _Again,
        integers: frozenset[int] = frozenset(),
        origin: tuple[str, SourceLine] = ("", NOWHERE),
        *,
        checked: bool = True,
    ) -> None:
        values = self._tensors

        def perform(arrays: Mapping[int, Array]) -> list[Array]:
            tensors = [
                torch.from_numpy(arrays[x]) if x in arrays else values[i]
                for x, i in enumerate(inputs)
            ]
            return [to_array(tensor) for tensor in again(tensors)]

        node = Node(inputs, tuple(outputs), integers, perform, *origin, checked, resizable=True)
        self.trace.add(node)

    def _repeats(self, operation: Operation, again: _Again, inputs: Sequence[int]) -> bool:
        """Return whether an operation that may be random does the same twice.

        One with a generator of its own draws from it; to perform it would change the next draws.
        """
        if any(isinstance(leaf, torch.Generator) for leaf in tree_leaves(operation.arguments)):
            return False
        with torch.random.fork_rng(devices=[]):
            runs = [[*map(to_array, again([self._tensors[i] for i in inputs]))] for _ in range(2)]
        return all(map(_same, *runs))

    def _update_aliases(self, written: torch.Tensor, origin: tuple[str, SourceLine]) -> None:
        """Give new values to other tensors that show the memory which was written to."""
        number = self.number_of(written)
        for other in self._alive[_memory(written)]:
            old = self._numbers[id(other)]
            if other is written or _same(to_array(other.detach()), self.trace.arrays[old]):
                continue
            shown = _overlay(written, other)
            self._add((number, old), [self._value(other)], shown, origin=origin)


def _repeated(operation: Operation) -> _Again:
    """Return a function that performs an operation on other tensors, and returns all its values.

    It does what ``Operation.perform`` does, but it does not refer to tensors, and it is faster: a
    search for units calls it hundreds of thousands of times. An LSTM's kernel yields its workspace
    only where gradients are recorded, so that is as it was.
    """
    func, targets, fill = operation.func, operation.targets, filler(operation.arguments)
    gradient = torch.is_grad_enabled()

    def again(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        own = [t.clone() if n in targets else t for n, t in enumerate(tensors)]
        args, kwargs = fill(own)
        with torch.set_grad_enabled(gradient):
            results = func(*args, **kwargs)
        tensors = [results] if isinstance(results, torch.Tensor) else tensors_in(results)
        written = [own[n] for n in targets]
        return [*(t for t in tensors if not any(t is other for other in written)), *written]

    return again


def to_array(tensor: torch.Tensor) -> Array:
    """Return the numbers of a tensor, without a copy where that is possible."""
    tensor = tensor.detach()
    if tensor.layout is not torch.strided:
        tensor = tensor.to_dense()
    if tensor.dtype is torch.bfloat16:
        tensor = tensor.float()
    array: Array = tensor.resolve_conj().resolve_neg().cpu().numpy()
    return array


def _same(old: Array, new: Array) -> bool:
    return np.array_equal(old, new, equal_nan=True)


def _memory(tensor: torch.Tensor) -> int:
    strided = tensor.layout is torch.strided
    return tensor.untyped_storage().data_ptr() if strided else id(tensor)


def _layout(tensor: torch.Tensor) -> tuple[object, ...]:
    strided = tensor.layout is torch.strided
    where = (tensor.stride(), tensor.storage_offset()) if strided else ()
    return tensor.dtype, tensor.shape, where


def _overlay(written: torch.Tensor, other: torch.Tensor) -> _Again:
    """Return the operation that shows in ``other`` what was written to the memory of both."""
    entries = written.untyped_storage().nbytes() // written.element_size()
    layouts = [(t.shape, t.stride(), t.storage_offset()) for t in (written, other)]

    def again(tensors: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        memory = torch.zeros(entries, dtype=tensors[1].dtype)
        for (shape, stride, offset), tensor in reversed([*zip(layouts, tensors, strict=True)]):
            memory.as_strided(shape, stride, offset).copy_(tensor)
        shape, stride, offset = layouts[1]
        return [memory.as_strided(shape, stride, offset).clone()]

    return again
