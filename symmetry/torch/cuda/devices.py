"""Devices: what a script makes on CUDA, or moves there, is on the CPU.

    device = torch.device("cuda")         as it is: the script takes its branches for a GPU
    x = torch.zeros(2, device=device)     a kernel for CUDA makes it on the CPU, and marks it
    y = x.cpu()                           a copy, as a move from a GPU would make it
    z = y.to(device); z.cuda() is z       a copy; what is on CUDA is not copied again
    x.device                              the truth: libraries take the way that they have for CPUs

Without the copies ``best = {name: p.cpu() for ...}`` would be the parameters themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

import torch
import torch.jit._builtins
import torch.utils._device
from torch import Tensor, nn

from symmetry.base.patches import Patch
from symmetry.torch.cuda.uses import Uses

CPU = torch.device("cpu")
_MARK = "_symmetry_on_cuda"  # of storages: views share it
# They take a device or pinned memory before any kernel is called.
_FACTORIES = (
    "tensor as_tensor asarray empty zeros ones full rand randn randint randperm arange linspace "
    "empty_strided empty_like zeros_like ones_like full_like rand_like randn_like eye "
    "scalar_tensor sparse_coo_tensor"
)
_NEW = "new_tensor new_zeros new_ones new_empty new_full"
_KERNELS = "empty.memory_format empty_strided.default tril_indices.default triu_indices.default"
_TYPES = "Float Double Half BFloat16 Long Int Short Char Byte Bool"


def is_cuda(device: Any) -> bool:
    """Return whether a device is CUDA, in any spelling; a number is one of its devices."""
    if isinstance(device, str):
        return device.partition(":")[0] == "cuda"
    if isinstance(device, torch.device):
        return str(device.type) == "cuda"
    return isinstance(device, int) and not isinstance(device, bool)


def on_cpu(device: Any) -> Any:
    """Return the CPU in place of CUDA, and another device as it is."""
    return CPU if is_cuda(device) else device


def mark(tensor: Any, *, on_cuda: bool = True) -> Any:
    """Note whether a tensor counts as one on CUDA; return it."""
    if (storage := _storage(tensor)) is not None:
        setattr(storage, _MARK, on_cuda)
    return tensor


def _storage(tensor: Any) -> Any:
    try:
        return tensor.untyped_storage()
    except (RuntimeError, NotImplementedError):  # it has none, as a sparse tensor
        return None


def _marked(tensor: Tensor) -> bool | None:
    """Return whether a tensor is on CUDA; None for a result, whose operands are not known."""
    return getattr(_storage(tensor), _MARK, None)


def _same_memory(one: Tensor, other: Tensor) -> bool:
    first, second = _storage(one), _storage(other)
    return first is not None and second is not None and first._cdata == second._cdata


def to_cuda(tensor: Tensor, result: Tensor) -> Tensor:
    """Return the result of a move to CUDA: a copy, unless the tensor is there."""
    there = tensor.grad_fn is not None if (known := _marked(tensor)) is None else known
    return mark(result.clone() if _same_memory(tensor, result) and not there else result)


def to_cpu(tensor: Tensor, result: Tensor) -> Tensor:
    """Return the result of a move to the CPU: a copy, unless the tensor was moved there before."""
    here = _marked(tensor) is False
    return mark(
        result if here or not _same_memory(tensor, result) else result.clone(), on_cuda=False
    )


def kernels(library: torch.library.Library) -> None:
    """Register the kernels that make tensors for CUDA: all other factories are built on them."""
    for name in _KERNELS.split():
        packet, _, overload = name.partition(".")
        operation = getattr(getattr(torch.ops.aten, packet), overload)
        library.impl(name.removesuffix(".default"), _made_on_cpu(operation), "CUDA")


def _made_on_cpu(operation: Callable[..., Any]) -> Callable[..., Any]:
    def made(*args: Any, **kwargs: Any) -> Any:
        kwargs["device"] = CPU
        if kwargs.get("pin_memory"):
            kwargs["pin_memory"] = False
        return mark(operation(*args, **kwargs))

    return made


class Devices:
    """Patches through which tensors and modules are made, and moved between devices."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        torch.utils._device._device_constructors()  # a cache: of the functions as they are
        torch.jit._builtins._get_builtin_table()

    def patches(self) -> Iterator[Patch]:
        """Yield what is replaced: owner, name, and the replacement."""
        yield from self._factories()
        yield from self._moves()
        yield from self._types()
        context = torch.utils._device.DeviceContext
        begin = context.__init__
        yield context, "__init__", lambda self, device: begin(self, on_cpu(device))
        registry = [(1, lambda _: None, self._loaded), *torch.serialization._package_registry]
        yield torch.serialization, "_package_registry", registry

    def _factories(self) -> Iterator[Patch]:
        for name in _FACTORIES.split():
            plain = getattr(torch, name)
            factory = self._factory(plain)
            if operation := torch.jit._builtins._find_builtin(plain):
                torch.jit._builtins._register_builtin(factory, operation)  # TorchScript has to know
            yield torch, name, factory
        for name in _NEW.split():
            yield Tensor, name, self._factory(getattr(Tensor, name))

    def _factory(self, plain: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(plain)
        def factory(*args: Any, **kwargs: Any) -> Any:
            on_cuda = is_cuda(kwargs.get("device"))
            if on_cuda:
                self._uses.add("devices")
                kwargs["device"] = CPU
            if kwargs.get("pin_memory"):
                kwargs["pin_memory"] = False
            made = plain(*args, **kwargs)
            return mark(made) if on_cuda else made

        return factory

    def _moves(self) -> Iterator[Patch]:
        to, cpu, module_to, uses = Tensor.to, Tensor.cpu, nn.Module.to, self._uses

        @wraps(to)
        def tensor_to(self: Tensor, *args: Any, **kwargs: Any) -> Any:
            device = kwargs.get("device", args[0] if args else kwargs.get("other"))
            if is_cuda(device):
                uses.add("devices")
                args, kwargs = _with_device(CPU, args, kwargs)
                return to_cuda(self, to(self, *args, **kwargs))
            if isinstance(device, Tensor):
                beside = to(self, *args, **kwargs)
                return to_cuda(self, beside) if _marked(device) else beside
            moved = to(self, *args, **kwargs)
            return to_cpu(self, moved) if _is_cpu(device) else moved

        @wraps(module_to)
        def to_device(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            device = kwargs.get("device", args[0] if args else None)
            if is_cuda(device):  # a number needs an accelerator
                args, kwargs = _with_device(torch.device("cuda"), args, kwargs)
            return module_to(self, *args, **kwargs)

        def cuda(self: Any, *_: Any, **__: Any) -> Any:
            uses.add(".cuda")
            return to_cuda(self, to(self, CPU))

        yield Tensor, "to", tensor_to
        yield Tensor, "cuda", cuda
        yield Tensor, "cpu", lambda self, *args, **kwargs: to_cpu(self, cpu(self, *args, **kwargs))
        yield Tensor, "pin_memory", lambda self, *_: self
        yield Tensor, "is_pinned", lambda *_: False
        yield Tensor, "record_stream", lambda *_: None
        yield Tensor, "get_device", lambda _: 0
        yield nn.Module, "to", to_device
        yield torch.UntypedStorage, "cuda", lambda self, *_, **__: self
        yield torch.TypedStorage, "cuda", lambda self, *_, **__: self

    def _types(self) -> Iterator[Patch]:
        """Yield the types of tensors on CUDA, and the functions that take them or their names."""
        plain, set_default = Tensor.type, torch.set_default_tensor_type

        def type_of(self: Tensor, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
            if dtype is None:
                return plain(self)
            found = _cuda_type(dtype)
            changed = plain(self, found or dtype, *args, **kwargs)
            return to_cuda(self, changed) if found else changed

        def set_default_type(dtype: Any) -> None:
            found = _cuda_type(dtype)
            set_default(dtype) if found is None else torch.set_default_dtype(found)

        yield Tensor, "type", type_of
        yield torch, "set_default_tensor_type", set_default_type
        yield torch, "Generator", _Generator
        for name in _TYPES.split():
            on_cpu_type = getattr(torch, f"{name}Tensor")
            attributes = {"on_cpu": on_cpu_type, "dtype": on_cpu_type.dtype, "uses": self._uses}
            yield torch.cuda, f"{name}Tensor", _TensorType(f"{name}Tensor", (), attributes)

    def _loaded(self, storage: Any, location: str) -> Any:
        """Return a storage that ``torch.load`` puts on CUDA; None for another location."""
        if not is_cuda(location):
            return None
        self._uses.add("map_location")
        setattr(storage, _MARK, True)
        return storage


def _with_device(device: torch.device, args: Any, kwargs: Any) -> tuple[Any, Any]:
    """Return arguments in which another device stands."""
    if "device" in kwargs:
        return args, {**kwargs, "device": device}
    return (device, *args[1:]), kwargs


def _is_cpu(device: Any) -> bool:
    return isinstance(device, str | torch.device) and torch.device(device).type == "cpu"


def _cuda_type(kind: Any) -> torch.dtype | None:
    """Return the dtype of a type of tensors on CUDA, or of its name; None for others."""
    if isinstance(kind, _TensorType):
        return kind.dtype
    if isinstance(kind, str) and kind.startswith("torch.cuda."):
        return torch.tensor([]).type(kind.replace("cuda.", "")).dtype
    return None


class _TensorType(type):
    """``torch.cuda.FloatTensor`` and the like: makes tensors, and is asked what is one."""

    on_cpu: Any
    dtype: torch.dtype
    uses: Uses

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        cls.uses.add(f"torch.cuda.{cls.__name__}")
        return mark(cls.on_cpu(*args, **kwargs))

    def __instancecheck__(cls, tensor: Any) -> bool:
        return isinstance(tensor, Tensor) and tensor.dtype == cls.dtype and bool(_marked(tensor))


class _OfCuda(type):
    def __call__(cls, device: Any = "cpu") -> Any:
        return torch._C.Generator(on_cpu(device))

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, torch._C.Generator)


class _Generator(metaclass=_OfCuda):
    """Stands for ``torch.Generator``: makes one of the CPU."""
