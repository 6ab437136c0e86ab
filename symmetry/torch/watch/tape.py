"""Operations of PyTorch as a tape takes them: calls on NumPy's arrays, which can be repeated."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

from symmetry.observe.call import Call, Handle, Slot, fill
from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.torch.watch.operations import Observer, Operation, Recorder
from symmetry.units.state import Array

_LEFT_OUT = ("device", "layout", "pin_memory", "generator")  # of what a script writes


def observing(tape: Tape, places: SourceLines) -> AbstractContextManager[Any]:
    """Show a tape every operation on tensors in this thread."""
    return Recorder(_Adapter(tape, places))


class _Adapter(Observer):
    """Shows a tape the operations that a recorder gets."""

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
        made = [t for t in operation.new if _readable(t)]
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
        return [array_of(tensor) for tensor in done.new if _readable(tensor)]

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
    """Return a tensor as a tape records it: its storage, and its place there."""
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
