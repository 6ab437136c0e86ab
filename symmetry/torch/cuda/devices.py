"""Devices: what a script makes on CUDA, or moves there, is on the CPU.

    device = torch.device("cuda")         as it is: the script takes its branches for a GPU
    x = torch.zeros(2, device=device)     a kernel for CUDA makes it on the CPU, and marks it
    y = x.cpu()                           a copy, as a move from a GPU would make it
    z = y.to(device); z.cuda() is z       a copy; what is on CUDA is not copied again
    x.device                              cuda:0 for the script; a library is told the truth, and
                                          takes the way that it has for CPUs
    torch.device(0)                       cuda:0: the accelerator of this number

Without the copies ``best = {name: p.cpu() for ...}`` would be the parameters themselves.
"""

from __future__ import annotations

import copyreg
import sys
from collections.abc import Callable, Iterator
from functools import wraps
from types import BuiltinFunctionType, FunctionType
from typing import Any

import torch
import torch.fft
import torch.jit._builtins
import torch.nested
import torch.utils._device
from torch import Tensor, nn

from symmetry.base.patches import Patch
from symmetry.base.user_code import is_user_code
from symmetry.torch.cuda.uses import Uses

CPU = torch.device("cpu")
_MARK = "_symmetry_on_cuda"  # of storages: views share it
# Functions without a documentation that take a device, beside those whose documentation says so.
_UNDOCUMENTED = {"scalar_tensor", "empty_permuted", "asarray"}
_KERNELS = "empty.memory_format empty_strided.default tril_indices.default triu_indices.default"
_FROM_MEMORY = "from_numpy frombuffer"
_LONGEST = 32  # operations of a graph that are looked through for a parameter
_DEVICE = torch.device
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


def _seems_on_cuda(tensor: Tensor) -> bool:
    """Return whether a tensor would be on CUDA, for the script's questions.

    A result is where the tensors are that it was computed from. If they are not known, CUDA is the
    place of most results.
    """
    known = _marked(tensor)
    return all(map(_marked_leaf, _sources(tensor))) if known is None else known


def _sources(tensor: Tensor) -> Iterator[Tensor]:
    """Yield some of the parameters that a result was computed from."""
    node: Any = tensor.grad_fn
    for _ in range(_LONGEST):
        following = [each for each, _ in getattr(node, "next_functions", ()) if each is not None]
        yield from (each.variable for each in following if hasattr(each, "variable"))
        node = next((each for each in following if not hasattr(each, "variable")), None)


def _marked_leaf(leaf: Tensor) -> bool:
    return _marked(leaf) is not False


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
        copyreg.pickle(_DEVICE, _reduced)
        torch.utils._device._device_constructors()  # a cache: of the functions as they are
        torch.jit._builtins._get_builtin_table()

    def patches(self) -> Iterator[Patch]:
        """Yield what is replaced: owner, name, and the replacement."""
        yield from self._factories()
        yield from self._moves()
        yield from self._types()
        yield from _questions()
        yield from _storages()
        yield torch, "device", _Device
        place = torch.serialization._get_restore_location
        yield (
            torch.serialization,
            "_get_restore_location",
            lambda at: place("cuda" if isinstance(at, int) else at),
        )
        context = torch.utils._device.DeviceContext
        begin = context.__init__
        yield context, "__init__", lambda self, device: begin(self, on_cpu(device))
        registry = [(1, lambda _: None, self._loaded), *torch.serialization._package_registry]
        yield torch.serialization, "_package_registry", registry

    def _factories(self) -> Iterator[Patch]:
        for owner in (torch, torch.fft, torch.nested):
            for name, plain in _taking_a_device(owner):
                factory = self._factory(plain)
                if operation := torch.jit._builtins._find_builtin(plain):
                    # TorchScript has to know.
                    torch.jit._builtins._register_builtin(factory, operation)
                yield owner, name, factory
        for name in dir(Tensor):
            if name.startswith("new_"):
                yield Tensor, name, self._factory(getattr(Tensor, name))
        for name in _FROM_MEMORY.split():
            yield torch, name, _made_here(getattr(torch, name))

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
            if on_cuda:
                return mark(made)
            # Else it is on the CPU, unless a mode or a tensor says where.
            elsewhere = kwargs.get("device") is None and torch._C._len_torch_function_stack()
            is_like = args and isinstance(args[0], Tensor)
            return made if elsewhere or is_like else mark(made, on_cuda=False)

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
        yield nn.Module, "to", to_device

    def _types(self) -> Iterator[Patch]:
        """Yield the types of tensors on CUDA, and the functions that take them or their names."""
        plain, set_default = Tensor.type, torch.set_default_tensor_type

        def type_of(self: Tensor, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
            if dtype is None:
                name = plain(self)
                is_there = _asked_by_user() and _seems_on_cuda(self)
                return name.replace("torch.", "torch.cuda.", 1) if is_there else name
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
            if sparse := getattr(torch.sparse, f"{name}Tensor", None):
                attributes = {**attributes, "on_cpu": sparse}
                kind = _TensorType(f"sparse.{name}Tensor", (), attributes)
                yield torch.cuda.sparse, f"{name}Tensor", kind

    def _loaded(self, storage: Any, location: str) -> Any:
        """Return a storage that ``torch.load`` puts on CUDA; None for another location."""
        if not is_cuda(location):
            return None
        self._uses.add("map_location")
        setattr(storage, _MARK, True)
        return storage


def _taking_a_device(owner: Any) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the functions that take a device, or pinned memory, before any kernel is called."""
    for name, function in [*vars(owner).items()]:
        if isinstance(function, FunctionType):
            takes = owner is torch.nested and "device" in function.__code__.co_varnames
        else:
            documented = "device=" in str(function.__doc__) or name in _UNDOCUMENTED
            takes = documented and isinstance(function, BuiltinFunctionType)
        if takes and not name.startswith("_"):
            yield name, function


def _questions() -> Iterator[Patch]:
    """Yield the attributes that say where a tensor is: a script is answered as on a GPU."""
    device, get_device, there = Tensor.device, Tensor.get_device, _DEVICE("cuda", 0)

    def device_of(self: Tensor) -> Any:
        return there if _asked_by_user() and _seems_on_cuda(self) else device.__get__(self)

    def number_of(self: Tensor) -> int:
        return 0 if not _asked_by_user() or _seems_on_cuda(self) else get_device(self)

    yield Tensor, "device", property(device_of)
    yield Tensor, "is_cuda", property(lambda self: _asked_by_user() and _seems_on_cuda(self))
    yield Tensor, "get_device", number_of


def _asked_by_user() -> bool:
    """Return whether the function that calls this one is called by the user's code."""
    return is_user_code(sys._getframe(2).f_code.co_filename)


def _storages() -> Iterator[Patch]:
    """Yield that storages can be made on CUDA."""
    plain = torch.UntypedStorage.__new__

    def made(kind: Any, *args: Any, **kwargs: Any) -> Any:
        if is_cuda(kwargs.get("device")):
            kwargs["device"] = CPU
        return plain(kind, *args, **kwargs)

    yield torch.UntypedStorage, "__new__", made
    yield torch.UntypedStorage, "cuda", lambda self, *_, **__: self
    yield torch.TypedStorage, "cuda", lambda self, *_, **__: self


def _made_here(plain: Callable[..., Any]) -> Callable[..., Any]:
    return wraps(plain)(lambda *args, **kwargs: mark(plain(*args, **kwargs), on_cuda=False))


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
        return isinstance(tensor, Tensor) and tensor.dtype == cls.dtype and _seems_on_cuda(tensor)


class _OfCuda(type):
    def __call__(cls, device: Any = "cpu") -> Any:
        return torch._C.Generator(on_cpu(device))

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, torch._C.Generator)


class _Generator(metaclass=_OfCuda):
    """Stands for ``torch.Generator``: makes one of the CPU."""


class _OfDevice(type):
    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        only = [*args, *kwargs.values()]
        if len(only) == 1 and isinstance(only[0], int):  # which needs an accelerator
            return _DEVICE("cuda", only[0])
        return _DEVICE(*args, **kwargs)

    def __instancecheck__(cls, value: Any) -> bool:
        return isinstance(value, _DEVICE)


class _Device(metaclass=_OfDevice):
    """Stands for ``torch.device``: a number is a device of CUDA."""


_Device.__module__, _Device.__qualname__ = "torch", "device"  # by which it is pickled


def _reduced(device: torch.device) -> tuple[Any, tuple[Any, ...]]:
    """Return how a device is pickled: by the class that bears its name now."""
    number = () if device.index is None else (device.index,)
    return torch.device, (device.type, *number)
