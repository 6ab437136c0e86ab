"""Recording PyTorch: every operation that reaches the dispatcher, backward and optimisers too."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Any, Protocol

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from symmetry.observe.call import Call, Handle, Slot, fill
from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.units.state import Array

_BLANK = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"}
IDLE = {"profiler", "prim"}  # namespaces whose operations compute nothing
_DECLARING = {"aten", "prims"}  # namespaces whose operations say what they write into
_LEFT_OUT = ("device", "layout", "pin_memory", "generator")  # of what a script writes


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
        """As in ``aten.mm``."""
        return f"{self.func.namespace}.{self.func._schema.name.split('::')[1]}"

    @cached_property
    def view(self) -> bool:
        """Whether its results only show the memory of its operands."""
        return bool(self.func.is_view)

    @cached_property
    def blank(self) -> bool:
        """Whether it returns memory that was never written to."""
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
        if func.namespace in IDLE:
            return func(*args, **kwargs)
        if not all(_plain(kind) for kind in types):
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


def observing(tape: Tape, places: SourceLines) -> AbstractContextManager[Any]:
    """Tell a tape of every operation on tensors in this thread."""
    return Recorder(_Adapter(tape, places))


class _Adapter:
    """Tells a tape what a recorder says of operations."""

    def __init__(self, tape: Tape, places: SourceLines) -> None:
        self._tape, self._places = tape, places
        self._call: Call | None = None  # None where the tape skips it

    def before(self, operation: Operation) -> None:
        if not self._tape.skips():
            self._call = _call(operation, self._places)
            self._tape.before(self._call)

    def after(self, operation: Operation) -> None:
        if operation.blank:  # what happens to lie in the memory is another thing in each run
            for tensor in filter(_readable, operation.results):
                tensor.zero_()
        if self._call is None:
            return
        targets = [t for t in operation.written if _readable(t)]
        written = {t.untyped_storage().data_ptr() for t in targets}
        made = [t for t in operation.made if _readable(t)]
        made = [t for t in made if t.untyped_storage().data_ptr() not in written]
        handles = [_handle(t) for t in (*targets, *made)]
        self._tape.after(self._call, handles[: len(targets)], handles[len(targets) :])
        for tensor, handle in zip((*targets, *made), handles, strict=True):
            if tensor.dtype is torch.bfloat16:  # the tape has seen, and may change, a copy
                tensor.detach().copy_(torch.from_numpy(handle.values))
        # A call that is kept keeps no tensors: beside autograd's graph they would live on, up to
        # the end of the interpreter.
        operation.operands, operation.results = (), ()
        self._call = None


def tensors_in(value: Any) -> list[torch.Tensor]:
    """Return the tensors in a nested value, in order."""
    return [leaf for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]


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


def _plain(kind: type) -> bool:
    return kind.__torch_dispatch__ is torch.Tensor.__torch_dispatch__  # type: ignore[attr-defined]


def _call(operation: Operation, places: SourceLines) -> Call:
    known = [n for n, tensor in enumerate(operation.operands) if _readable(tensor)]
    dtypes = [operation.operands[n].dtype for n in known]
    written = tuple(known.index(n) for n in operation.targets if n in known)
    # In the places of tensors that NumPy cannot read are those themselves.
    given = [Slot(known.index(n)) if n in known else t for n, t in enumerate(operation.operands)]
    args, kwargs = fill(operation.arguments, given)
    kept = replace(operation, operands=(), results=())  # lets go of the tensors

    def perform(arrays: Sequence[Array]) -> list[Array]:
        done = kept.perform(fill(given, [*map(_tensor, arrays, dtypes)]))
        for position in written:
            arrays[position][...] = array_of(done.operands[known[position]])
        return [array_of(tensor) for tensor in done.made if _readable(tensor)]

    packet, _, overload = str(operation.func).rpartition(".")
    return Call(
        library="torch",
        name=operation.name,
        place=places.here(),
        operands=tuple(_handle(operation.operands[n]) for n in known),
        dtypes=tuple(str(dtype).removeprefix("torch.") for dtype in dtypes),
        written=written,
        random=operation.random,
        blank=operation.blank,
        perform=perform,
        args=args,
        kwargs={key: value for key, value in kwargs.items() if key not in _LEFT_OUT},
        path=f"torch.ops.{packet}" + (f".{overload}" if overload != "default" else ""),
    )


def _readable(tensor: torch.Tensor) -> bool:
    """Return whether the numbers lie in this machine's memory, as NumPy can read them."""
    return bool(
        tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and tensor.numel() > 0
        and not tensor.is_quantized
        and not (tensor.is_conj() or tensor.is_neg())
        and not isinstance(tensor, torch._subclasses.FakeTensor)
    )


def _handle(tensor: torch.Tensor) -> Handle:
    """Return what a tape is given of a tensor."""
    storage = tensor.untyped_storage()
    reference = StorageWeakRef(storage)
    size = storage.nbytes() // tensor.element_size()
    return Handle(array_of(tensor), storage.data_ptr(), lambda: not reference.expired(), size)


def array_of(tensor: torch.Tensor) -> Array:
    """Return the numbers without a copy; bfloat16, which NumPy lacks, as float32."""
    tensor = tensor.detach()
    array: Array = (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()
    return array


def _tensor(array: Array, dtype: torch.dtype) -> torch.Tensor:
    """Return numbers as the tensor that they were, or as float64 if that is what they are now."""
    tensor = torch.from_numpy(array)
    return tensor if tensor.dtype is torch.float64 else tensor.to(dtype)
