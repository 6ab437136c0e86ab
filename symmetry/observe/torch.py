"""Recording PyTorch: every operation that reaches the dispatcher, backward and optimisers too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import TreeSpec, tree_flatten, tree_leaves, tree_unflatten

_BLANK = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"}
_IDLE = {"profiler", "prim"}  # namespaces whose operations compute nothing
_DECLARING = {"aten", "prims"}  # namespaces whose operations say what they write into


@dataclass
class Operation:
    """One operation on tensors, while it happens or afterwards.

    It refers to the tensors themselves: later operations may write into them. ``operands`` and
    ``results`` may be emptied to let go of them; ``perform`` still works.
    """

    func: Any  # PyTorch's overload, for example torch.ops.aten.mm.default
    arguments: list[Any]  # all of them, flattened; None in the place of each tensor
    spec: TreeSpec  # how ``arguments`` are put together again into ``(args, kwargs)``
    slots: tuple[int, ...]  # the places of the tensors in ``arguments``
    operands: Sequence[torch.Tensor]  # the tensors, one for each slot
    targets: tuple[int, ...]  # which of the operands it writes into, declared or not
    results: Sequence[torch.Tensor] = ()  # all tensors that it returned, in order

    @cached_property
    def name(self) -> str:
        """As in ``aten.mm``."""
        return f"{self.func.namespace}.{self.func._schema.name.split('::')[1]}"

    @cached_property
    def view(self) -> bool:
        """Whether its results only show the memory of its operands."""
        aliased = any(result.alias_info is not None for result in self.func._schema.returns)
        return aliased and not self.targets

    @cached_property
    def blank(self) -> bool:
        """Whether it returns memory that nobody has written to."""
        return self.name.split(".")[1] in _BLANK

    @cached_property
    def random(self) -> bool:
        """Whether it may draw random numbers (attention may, although it seldom does)."""
        return torch.Tag.nondeterministic_seeded in self.func.tags

    @property
    def silent(self) -> bool:
        """Whether it may write into operands without declaring so.

        Batch normalisation does, into its statistics, and other people's operations may.
        """
        statistics = "batch_norm" in self.name and "backward" not in self.name
        return statistics or self.func.namespace not in _DECLARING

    @property
    def written(self) -> list[torch.Tensor]:
        """The operands that it writes into."""
        return [self.operands[n] for n in self.targets]

    @property
    def made(self) -> list[torch.Tensor]:
        """The results that are not operands which it has written into."""
        written = self.written
        return [r for r in self.results if not any(r is tensor for tensor in written)]

    def perform(
        self, operands: Sequence[torch.Tensor]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Perform it again on other operands, which keep their values; return made and written.

        Raises what PyTorch raises for operands of other shapes or dtypes.
        """
        arguments, own = list(self.arguments), list(operands)
        for number in self.targets:
            own[number] = own[number].clone()
        for slot, tensor in zip(self.slots, own, strict=True):
            arguments[slot] = tensor
        args, kwargs = tree_unflatten(arguments, self.spec)
        with torch.no_grad():
            results = tensors_in(self.func(*args, **kwargs))
        written = [own[number] for number in self.targets]
        return [r for r in results if not any(r is tensor for tensor in written)], written


class Observer(Protocol):
    """What is told of each operation."""

    def before(self, operation: Operation) -> None:
        """Look at the operands: nothing is written yet. ``targets`` holds the declared ones."""

    def after(self, operation: Operation) -> None:
        """Look at the results."""


class Recorder(TorchDispatchMode):
    """Tells an observer of every operation that this thread, and backward for it, performs.

    What the observer does with tensors is not recorded. Operations inside of tensor subclasses
    (``DTensor`` and others) are seen as those on the plain tensors that they hold.
    """

    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.namespace in _IDLE:
            return func(*args, **kwargs)
        if not all(_plain(kind) for kind in types):
            return NotImplemented
        operation = _operation(func, args, kwargs)
        self._observer.before(operation)
        copies = _copies(operation) if operation.silent else []
        results = func(*args, **kwargs)
        operation.results = tensors_in(results)
        changed = {n for n, copy in copies if not _same(operation.operands[n], copy)}
        operation.targets = (*operation.targets, *sorted(changed - {*operation.targets}))
        self._observer.after(operation)
        return results


def tensors_in(value: Any) -> list[torch.Tensor]:
    """Return the tensors in a nested value, in order."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]


def _operation(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Operation:
    arguments, spec = tree_flatten((tuple(args), kwargs))
    slots = tuple(n for n, value in enumerate(arguments) if isinstance(value, torch.Tensor))
    operands = [arguments[n] for n in slots]
    schema = func._schema.arguments
    given = [*zip(schema, args, strict=False)]
    given += [(argument, kwargs[argument.name]) for argument in schema if argument.name in kwargs]
    writes = [
        tensor
        for argument, value in given
        if argument.alias_info is not None and argument.alias_info.is_write
        for tensor in tensors_in(value)
    ]
    targets = [n for n, o in enumerate(operands) if any(o is tensor for tensor in writes)]
    for slot in slots:
        arguments[slot] = None
    return Operation(func, arguments, spec, slots, operands, tuple(targets))


def _copies(operation: Operation) -> list[tuple[int, torch.Tensor]]:
    return [
        (number, operand.detach().clone())
        for number, operand in enumerate(operation.operands)
        if operand.layout is torch.strided
    ]


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Return whether all entries are equal, or both NaN."""
    a = a.detach()
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


def _plain(kind: type) -> bool:
    return kind.__torch_dispatch__ is torch.Tensor.__torch_dispatch__  # type: ignore[attr-defined]
