"""The operations that reach PyTorch's dispatcher, those of backward and optimisers, too.

Example: an observer that counts products of matrices.

    class Products(Observer):
        number = 0

        def after(self, operation):
            self.number += operation.base == "mm"       aten.mm, whatever its overload

    with Recorder(products := Products()):
        (x @ w).sum().backward()                        mm, sum; ones_like, expand, t, mm

    products.number                                     2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Protocol

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from symmetry.observe.call import Slot, fill

_PLAIN = {int, float, bool, str, type(None), torch.dtype, torch.device}  # without tensors
_BLANK = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"}
IDLE = frozenset({"profiler", "prim"})  # namespaces whose operations compute nothing
DECLARING = frozenset({"aten", "prims"})  # namespaces whose operations say what they write into


@dataclass
class Operation:
    """One operation on tensors, while it happens or afterwards.

    It refers to the tensors themselves: later operations may write into them. ``operands`` and
    ``results`` may be emptied to let go of them; ``perform`` still works.
    """

    func: Any  # PyTorch's overload, for example torch.ops.aten.mm.default
    arguments: Any  # ``(args, kwargs)`` with a slot in the place of each tensor
    operands: Sequence[torch.Tensor]  # the tensors, one for each slot
    targets: tuple[int, ...]  # which of the operands it writes into, declared or not
    results: Sequence[torch.Tensor] = ()  # all tensors that it returned, in order

    @cached_property
    def name(self) -> str:
        """As in ``aten.add_``."""
        return f"{self.func.namespace}.{name_of(self.func)}"

    @property
    def base(self) -> str:
        """The name without its namespace, whether it writes in place or not: ``add``."""
        return name_of(self.func).rstrip("_")

    @cached_property
    def view(self) -> bool:
        """Whether its results only show the memory of its operands."""
        return bool(self.func.is_view)

    @cached_property
    def blank(self) -> bool:
        """Whether it returns memory that was never written to."""
        return self.base in _BLANK

    @cached_property
    def random(self) -> bool:
        """Whether it may draw random numbers (attention may, although it seldom does)."""
        return torch.Tag.nondeterministic_seeded in self.func.tags

    @property
    def draws(self) -> bool:
        """Whether it is random, and no attention."""
        return self.random and "attention" not in self.name

    @property
    def silent(self) -> bool:
        """Whether it may write into operands without declaring so.

        Batch normalisation does, into its statistics, and other people's operations may.
        """
        statistics = "batch_norm" in self.name and "backward" not in self.name
        return statistics or self.func.namespace not in DECLARING

    @property
    def written(self) -> list[torch.Tensor]:
        """The operands that it writes into."""
        return [self.operands[n] for n in self.targets]

    @property
    def new(self) -> list[torch.Tensor]:
        """The results that are not operands which it has written into."""
        written = self.written
        return [r for r in self.results if not any(r is tensor for tensor in written)]

    def perform(self, operands: Sequence[torch.Tensor]) -> Operation:
        """Return it as performed again on other operands, of which those written into are copied.

        Raises what PyTorch raises for operands of other shapes or dtypes.
        """
        own = [t.clone() if n in self.targets else t for n, t in enumerate(operands)]
        args, kwargs = fill(self.arguments, own)
        with torch.no_grad():
            return replace(self, operands=own, results=tensors_in(self.func(*args, **kwargs)))


class Observer(Protocol):
    """Gets each operation, before and after it is done."""

    def before(self, operation: Operation) -> None:  # noqa: ARG002
        """Look at the operands: nothing is written yet. ``targets`` holds the declared ones."""
        return

    def after(self, operation: Operation) -> None:  # noqa: ARG002
        """Look at the results."""
        return


class Recorder(TorchDispatchMode):
    """Shows an observer every operation that this thread, and backward for it, performs.

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
        if func.namespace in IDLE or computes_shapes():
            return func(*args, **kwargs)
        if not all(map(is_plain, types)):
            return NotImplemented
        operation = _operation(func, args, kwargs)
        self._observer.before(operation)
        doubtful = operation.operands if operation.silent else ()
        copies = {
            n: o.detach().clone() for n, o in enumerate(doubtful) if o.layout is torch.strided
        }
        results = func(*args, **kwargs)
        operation.results = tensors_in(results)
        changed = {n for n, copy in copies.items() if not _same(operation.operands[n], copy)}
        operation.targets = (*operation.targets, *sorted(changed - {*operation.targets}))
        self._observer.after(operation)
        return results


def tensors_in(value: Any) -> list[torch.Tensor]:
    """Return the tensors in a nested value, in order."""
    found: list[torch.Tensor] = []
    _collect(value, found)
    return found


def _collect(value: Any, found: list[torch.Tensor]) -> None:
    """Add the tensors in a value: PyTorch's own search takes longer, and is for rare classes."""
    kind = type(value)
    if isinstance(value, torch.Tensor):
        found.append(value)
    elif kind is tuple or kind is list:
        if not _PLAIN.issuperset(map(type, value)):  # a list of numbers may be long
            for each in value:
                _collect(each, found)
    elif kind is dict:
        for each in value.values():
            _collect(each, found)
    elif kind not in _PLAIN:
        found += [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]


@cache  # schemes are slow to read, and there are few operations
def name_of(func: Any) -> str:
    """Return the name of an operation without its namespace: ``mm``, ``add_``."""
    name: str = func._schema.name.split("::")[1]
    return name


def written_by(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """Return what an operation declares to write into."""
    into = _written_arguments(func)
    if not into:
        return []
    given = [args[n] if n < len(args) else kwargs.get(name) for n, name in into]
    return tensors_in(given)


@cache  # schemes are slow to read, and there are few operations
def _written_arguments(func: Any) -> tuple[tuple[int, str], ...]:
    """Return the places and names of the arguments that an operation declares to write into."""
    arguments = func._schema.arguments if func._schema.is_mutable else ()
    return tuple(
        (n, a.name)
        for n, a in enumerate(arguments)
        if a.alias_info is not None and a.alias_info.is_write
    )


def _operation(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Operation:
    operands: list[torch.Tensor] = []

    def slot(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        operands.append(value)
        return Slot(len(operands) - 1)

    arguments = tree_map(slot, (tuple(args), kwargs))
    writes = written_by(func, args, kwargs)
    targets = [n for n, o in enumerate(operands) if any(o is tensor for tensor in writes)]
    return Operation(func, arguments, operands, tuple(targets))


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Return whether all entries are equal, or both NaN."""
    a = a.detach()
    return a.shape == b.shape and bool(((a == b) | ((a != a) & (b != b))).all())


def computes_shapes() -> bool:
    """Return whether operations are performed on fake tensors: only their shapes are computed.

    Example: ``DTensor`` does so, to find how a result is laid out.
    """
    return torch._C._get_dispatch_mode(torch._C._TorchDispatchModeKey.FAKE) is not None


def is_plain(kind: type) -> bool:
    """Return whether a class of tensors performs operations as PyTorch's own does."""
    return kind.__torch_dispatch__ is torch.Tensor.__torch_dispatch__  # type: ignore[attr-defined]
