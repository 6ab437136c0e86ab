"""PyTorch's operations as calls: what an observer of any library gets to know of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_unflatten

from symmetry.observe import call as calls
from symmetry.observe.call import Call, Handle, Observer, Slot
from symmetry.observe.place import Places
from symmetry.observe.torch import Operation, Recorder
from symmetry.units.state import Array

_LEFT_OUT = ("device", "layout", "pin_memory", "generator")  # of what a script writes


@contextmanager
def observing(observer: Observer, places: Places) -> Iterator[None]:
    """Tell ``observer`` of every operation on tensors in this thread."""
    with Recorder(_Adapter(observer, places)):
        yield


class _Adapter:
    """Tells an observer of calls what a recorder says of operations."""

    def __init__(self, observer: Observer, places: Places) -> None:
        self._observer, self._places = observer, places

    def before(self, operation: Operation) -> None:
        self._call = _call(operation, self._places)
        self._observer.before(self._call)

    def after(self, operation: Operation) -> None:
        targets = [t for t in operation.written if readable(t)]
        written = {t.untyped_storage().data_ptr() for t in targets}
        made = [
            handle(tensor)
            for tensor in operation.made
            if readable(tensor) and tensor.untyped_storage().data_ptr() not in written
        ]
        self._observer.after(self._call, [handle(t) for t in targets], made)
        # Whoever keeps the call keeps no tensors: they would live on beside autograd's graph, up
        # to the end of the interpreter.
        operation.operands, operation.results = (), ()
        del self._call


def readable(tensor: torch.Tensor) -> bool:
    """Return whether the numbers lie in this machine's memory, as NumPy can read them."""
    return bool(
        tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and tensor.numel() > 0
        and not tensor.is_quantized
        and not (tensor.is_conj() or tensor.is_neg())
        and not isinstance(tensor, torch._subclasses.FakeTensor)
    )


def handle(tensor: torch.Tensor) -> Handle:
    """Return what an observer gets to know of a tensor."""
    storage = tensor.untyped_storage()
    reference = StorageWeakRef(storage)
    size = storage.nbytes() // tensor.element_size()
    return Handle(_array(tensor), storage.data_ptr(), lambda: not reference.expired(), size)


def _array(tensor: torch.Tensor) -> Array:
    """Return the numbers without a copy; those of bfloat16, which NumPy has not, as float32."""
    tensor = tensor.detach()
    array: Array = (tensor.float() if tensor.dtype is torch.bfloat16 else tensor).numpy()
    return array


def _tensor(array: Array, dtype: torch.dtype) -> torch.Tensor:
    """Return numbers as the tensor that they were, or as float64 if that is what they are now."""
    tensor = torch.from_numpy(array)
    return tensor if tensor.dtype is torch.float64 else tensor.to(dtype)


def _call(operation: Operation, places: Places) -> Call:
    known = [n for n, tensor in enumerate(operation.operands) if readable(tensor)]
    unreadable = [None if readable(tensor) else tensor for tensor in operation.operands]
    others: list[Any] = unreadable if len(known) < len(unreadable) else []
    dtypes = [operation.operands[n].dtype for n in known]
    declared = tuple(known.index(n) for n in operation.targets if n in known)

    def perform(arrays: Sequence[Array]) -> list[Array]:
        given = [_tensor(a, d) for a, d in zip(arrays, dtypes, strict=True)]
        tensors = [*others] or given
        for number, tensor in zip(known, given, strict=True):
            tensors[number] = tensor
        made, written = operation.perform(tensors)
        for position, tensor in zip(declared, written, strict=False):
            arrays[position][...] = _array(tensor)
        return [_array(tensor) for tensor in made if readable(tensor)]

    def write(names: Sequence[str]) -> str | None:
        if others:
            return None
        arguments = list(operation.arguments)
        for number, slot in enumerate(operation.slots):
            arguments[slot] = Slot(number)
        args, kwargs = tree_unflatten(arguments, operation.spec)
        texts = [_text(value, names) for value in args]
        words = {k: _text(v, names) for k, v in kwargs.items() if k not in _LEFT_OUT}
        if None in texts or None in words.values():
            return None
        packet, _, overload = str(operation.func).rpartition(".")
        name = packet if overload == "default" else f"{packet}.{overload}"
        listed = [*map(str, texts), *(f"{key}={value}" for key, value in words.items())]
        return f"torch.ops.{name}({', '.join(listed)})"

    return Call(
        library="torch",
        name=operation.name,
        place=places.here(),
        operands=tuple(handle(operation.operands[n]) for n in known),
        dtypes=tuple(str(dtype).removeprefix("torch.") for dtype in dtypes),
        written=declared,
        random=operation.random,
        blank=operation.blank,
        perform=perform,
        write=write,
    )


def _text(value: Any, names: Sequence[str]) -> str | None:
    """Write an argument in Python, None if that is not possible."""
    if isinstance(value, torch.dtype | torch.memory_format):
        return str(value)
    return calls.text(value, names)
