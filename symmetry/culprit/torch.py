"""Observing PyTorch: every operation that reaches the dispatcher, backward and optimisers too."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from numpy.typing import NDArray
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.culprit.call import Call, Observer, Operation, Slot, fill
from symmetry.culprit.geometry import Handle
from symmetry.culprit.place import place

_BLANK = {"empty", "empty_like", "new_empty", "empty_strided", "new_empty_strided"}
_OVERWRITING = {"copy_", "fill_", "zero_", "normal_", "uniform_", "bernoulli_", "exponential_"}
_JOINING = {"cat": False, "stack": True}


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Tell ``observer`` of every operation on tensors in this thread."""
    with _Mode(observer):
        yield


class _Mode(TorchDispatchMode):
    def __init__(self, observer: Observer) -> None:
        super().__init__()
        self._observer = observer

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func.namespace in ("profiler", "prim") or not all(map(_plain, types)):
            return func(*args, **kwargs)
        call = _call(func, args, kwargs)
        self._observer.before(call)
        results = func(*args, **kwargs)
        made = [_handle(tensor) for tensor in _tensors(results) if _readable(tensor)]
        self._observer.after(call, made)
        return results


@dataclass
class _Arguments:
    """Arguments of a call taken apart: the tensors, and what is left with slots in their places."""

    tensors: list[torch.Tensor] = field(default_factory=list)
    written: list[int] = field(default_factory=list)
    aliased: bool = False

    def take(self, value: Any, alias: Any) -> Any:
        """Return ``value`` with a slot for each tensor."""
        if isinstance(value, list | tuple):
            return type(value)([self.take(item, alias) for item in value])
        if not isinstance(value, torch.Tensor) or not _readable(value):
            return value
        if alias is not None and alias.is_write:
            self.written.append(len(self.tensors))
        elif alias is not None:
            self.aliased = True
        self.tensors.append(value)
        return Slot(len(self.tensors) - 1)

    def reused(self) -> bool:
        """Return whether something written to is also read."""
        written = {self.tensors[n].untyped_storage().data_ptr() for n in self.written}
        read = [t for n, t in enumerate(self.tensors) if n not in self.written]
        return any(tensor.untyped_storage().data_ptr() in written for tensor in read)


def _call(func: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> Call:
    schema = func._schema.arguments
    aliases = {argument.name: argument.alias_info for argument in schema}
    outs = {argument.name for argument in schema if argument.is_out}
    taken = _Arguments()
    template = [taken.take(v, s.alias_info) for v, s in zip(args, schema, strict=False)]
    keywords = {name: taken.take(value, aliases[name]) for name, value in kwargs.items()}
    name = func._schema.name.split("::")[1]
    return Call(
        name=f"{func.namespace}.{name}",
        place=place(),
        operands=tuple(map(_handle, taken.tensors)),
        operation=_operation(func, template, keywords, [t.dtype for t in taken.tensors]),
        written=tuple(taken.written),
        overwritten=name in _OVERWRITING or (bool(outs & kwargs.keys()) and not taken.reused()),
        views=taken.aliased and not taken.written,
        blank=name in _BLANK,
        shaped=name.endswith("_like") or name.startswith("new_"),
        random=torch.Tag.nondeterministic_seeded in func.tags,
        imports=name == "lift_fresh",
        joined=_joined(name, args, kwargs),
        stacked=_JOINING.get(name, False),
    )


def _joined(name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> int | None:
    if name not in _JOINING or not args[0]:
        return None
    dimension = int(args[1] if len(args) > 1 else kwargs.get("dim", 0))
    return dimension % (int(args[0][0].dim()) + _JOINING[name])


def _operation(
    func: Any, args: Sequence[Any], kwargs: dict[str, Any], dtypes: Sequence[torch.dtype]
) -> Operation:
    def perform(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        tensors = [torch.from_numpy(a).view(dtype) for a, dtype in zip(arrays, dtypes, strict=True)]
        with torch.no_grad():
            results = func(*fill(args, tensors), **fill(kwargs, tensors))
        return [_array(tensor) for tensor in _tensors(results) if _readable(tensor)]

    def write(names: Sequence[str]) -> str | None:
        texts = [_text(value, names) for value in args]
        texts += [
            f"{key}={_text(value, names)}"
            for key, value in kwargs.items()
            if key not in ("device", "layout", "pin_memory", "generator")
        ]
        packet, _, overload = str(func).rpartition(".")
        name = packet if overload == "default" else f"{packet}.{overload}"
        return None if None in texts else f"torch.ops.{name}({', '.join(map(str, texts))})"

    names = tuple(str(dtype).removeprefix("torch.") for dtype in dtypes)
    return Operation(perform, write, "torch", names)


def _text(value: Any, names: Sequence[str]) -> str | None:
    """Write an argument in Python, None if that is not possible."""
    if isinstance(value, Slot):
        return names[value.number]
    if isinstance(value, list | tuple):
        items = [_text(item, names) for item in value]
        return None if None in items else f"[{', '.join(map(str, items))}]"
    if isinstance(value, float) and value - value != 0:
        return f'float("{value}")'
    simple = isinstance(value, bool | int | float | str | torch.dtype | torch.memory_format)
    return repr(value) if simple or value is None else None


def _plain(kind: type) -> bool:
    return kind in (torch.Tensor, torch.nn.Parameter)


def _readable(tensor: torch.Tensor) -> bool:
    """Return whether the numbers lie in this machine's memory, as NumPy can read them."""
    return bool(
        tensor.device.type == "cpu"
        and tensor.layout is torch.strided
        and tensor.numel() > 0
        and not tensor.is_quantized
        and not (tensor.is_conj() or tensor.is_neg())
    )


def _tensors(value: Any) -> list[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, list | tuple):
        return [tensor for item in value for tensor in _tensors(item)]
    return []


def _handle(tensor: torch.Tensor) -> Handle:
    storage = tensor.untyped_storage()
    reference = StorageWeakRef(storage)
    return Handle(_array(tensor), storage.data_ptr(), lambda: not reference.expired())


def _array(tensor: torch.Tensor) -> NDArray[Any]:
    """Return the numbers without a copy; NumPy has no bfloat16, so of that only the bits."""
    tensor = tensor.detach()
    array: NDArray[Any] = (
        tensor.view(torch.int16) if tensor.dtype is torch.bfloat16 else tensor
    ).numpy()
    return array
