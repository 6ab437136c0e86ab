"""A script that needs CUDA runs on the CPU: entered each time that it goes on, and left again.

Example: a script, and the lines of PyTorch that are replaced while it runs.

    device = "cuda"                         nothing: devices are text and objects as ever
    model = Net().to(device)                Tensor.to copies the parameters, on the CPU
    scaler = torch.amp.GradScaler()         its device is the CPU
    for x, y in loader:
        with torch.autocast("cuda"):        autocast of the CPU, with CUDA's list of operations
            loss = model(x.cuda()).mean()   Tensor.cuda copies the batch
        scaler.scale(loss).backward()       as on the CPU, but for convolutions in float16
    torch.cuda.synchronize()                does nothing

While the script is suspended everything is as before, so that other scripts are not concerned.

Mixed precision is as CUDA has it: autocast, and scaling of gradients. The two devices have
different lists of operations that autocast computes in float32; here CUDA's is used. A float16
convolution has no fast backward on the CPU (it takes 90 times as long), so that is computed in
float32, and rounded.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
import torch.cuda.amp
from torch import Tensor, nn
from torch.amp import autocast_mode, grad_scaler

from symmetry.base.patches import Patch
from symmetry.torch.cuda import devices, names, ranks
from symmetry.torch.cuda.devices import is_cuda
from symmetry.torch.cuda.uses import Uses, Wrapper

_LOW = (torch.float16, torch.bfloat16)
# As in ATen/autocast_mode.h, AT_FORALL_FP32 and AT_FORALL_FP32_SET_OPT_DTYPE.
_IN_FLOAT32 = (
    "acos asin cosh erfinv exp expm1 log log10 log2 log1p reciprocal rsqrt sinh tan "
    "pow.Tensor_Scalar pow.Tensor_Tensor pow.Scalar softplus layer_norm native_layer_norm "
    "group_norm rms_norm cosine_similarity l1_loss smooth_l1_loss huber_loss soft_margin_loss "
    "multi_margin_loss binary_cross_entropy_with_logits logsumexp dist linalg_vector_norm "
    "softmax.int log_softmax.int cumprod cumsum sum sum.dim_IntList"
)
_BACKWARD = torch.ops.aten.convolution_backward.default


class Precision:
    """Patches and kernels of mixed precision.

    Parameters
    ----------
    uses
        Where it notes what the script uses.
    begin
        Called when the first block of autocast begins: the kernels of autocast are needed from
        then on.
    """

    def __init__(self, uses: Uses, begin: Callable[[], None]) -> None:
        self._uses, self._begin = uses, begin

    def patches(self) -> Iterator[Patch]:
        """Yield what is replaced: owner, name, and the replacement."""
        yield from self._autocast()
        yield grad_scaler.GradScaler, "__init__", Wrapper(self._scaling)
        yield torch.optim.Optimizer, "__init__", Wrapper(_optimizing)

    def _scaling(self, plain: Callable[..., None]) -> Callable[..., None]:
        @wraps(plain)
        def begin(scaler: Any, device: str = "cuda", *args: Any, **kwargs: Any) -> None:
            self._uses.add("GradScaler")
            plain(scaler, _kind(device), *args, **kwargs)

        return begin

    def _autocast(self) -> Iterator[Patch]:
        block, cast = autocast_mode.autocast, autocast_mode._cast
        begin, is_on, dtype_of = (
            block.__init__,
            torch.is_autocast_enabled,
            torch.get_autocast_dtype,
        )

        @wraps(begin)
        def beginning(
            self_: Any,
            device_type: str,
            dtype: Any = None,
            enabled: bool = True,
            *args: Any,
            **more: Any,
        ) -> None:
            if is_cuda(device_type):
                device_type, dtype = "cpu", dtype or torch.float16
                enabled = enabled and dtype in _LOW
                if enabled:
                    self._uses.add(f"autocast {str(dtype).removeprefix('torch.')}")
                    self._begin()
            begin(self_, device_type, dtype, enabled, *args, **more)

        yield block, "__init__", beginning
        yield autocast_mode, "_cast", lambda value, kind, dtype: cast(value, _kind(kind), dtype)
        yield torch, "is_autocast_enabled", lambda kind="cuda": is_on(_kind(kind))
        yield torch, "get_autocast_dtype", lambda kind: dtype_of(_kind(kind))
        yield torch, "get_autocast_gpu_dtype", lambda: dtype_of("cpu")


def _optimizing(plain: Callable[..., None]) -> Callable[..., None]:
    @wraps(plain)
    def begin(optimizer: Any, params: Any, defaults: Any) -> None:
        if isinstance(defaults, dict) and defaults.get("capturable"):
            defaults["capturable"] = False
        plain(optimizer, params, defaults)

    return begin


def kernels_of_autocast(library: torch.library.Library) -> None:
    """Register the operations that autocast on CUDA computes in float32."""
    for name in _IN_FLOAT32.split():
        packet, _, overload = name.partition(".")
        operation = getattr(getattr(torch.ops.aten, packet, None), overload or "default", None)
        if operation is not None:  # an older PyTorch lacks some
            library.impl(name, _in_float32(operation), "AutocastCPU")


def _in_float32(operation: Callable[..., Any]) -> Callable[..., Any]:
    autocast = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)

    def computed(*args: Any, **kwargs: Any) -> Any:
        with torch._C._ExcludeDispatchKeyGuard(autocast):
            wide = {name: _wide(value) for name, value in kwargs.items()}
            return operation(*map(_wide, args), **wide)

    return computed


def _wide(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype in _LOW else value


def kernels_of_convolutions(library: torch.library.Library) -> None:
    """Register the backward of a float16 convolution; in other dtypes it is PyTorch's own."""
    library.impl("convolution_backward", _convolution_backward, "CPU")


def _convolution_backward(gradient: Tensor, x: Tensor, weight: Tensor, *args: Any) -> Any:
    plain = torch._C.DispatchKey.CompositeExplicitAutograd
    if gradient.dtype != torch.float16:
        return _BACKWARD._op_dk(plain, gradient, x, weight, *args)
    wide = _BACKWARD._op_dk(plain, gradient.float(), x.float(), weight.float(), *args)
    return tuple(None if each is None else each.half() for each in wide)


def _kind(device: str) -> str:
    return "cpu" if is_cuda(device) else device


_OVERRIDES = "(?s).*Overriding a previously registered kernel.*"
_NONE = object()  # in the place of an attribute that its owner inherits


class CudaOnCpu:
    """Replaces CUDA by the CPU while it is entered."""

    def __init__(self) -> None:
        self.uses = Uses()  # what the script uses of CUDA
        self._mixes = False  # whether the script uses autocast
        self._libraries: list[torch.library.Library] = []  # of kernels, while it is entered
        self._patches: tuple[Patch, ...] = (
            *names.patches(self.uses),
            *devices.Devices(self.uses).patches(),
            *Precision(self.uses, self._mix).patches(),
            *ranks.patches(self.uses),
            *_others(self.uses),
        )

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Replace CUDA by the CPU while the block runs."""
        before = [(owner, name, vars(owner).get(name, _NONE)) for owner, name, _ in self._patches]
        self._register(devices.kernels, kernels_of_convolutions)
        if self._mixes:
            self._register(kernels_of_autocast)
        try:
            for owner, name, value in self._patches:
                wraps = isinstance(value, Wrapper)
                setattr(owner, name, value.wrap(getattr(owner, name)) if wraps else value)
            yield
        finally:
            for owner, name, value in reversed(before):
                delattr(owner, name) if value is _NONE else setattr(owner, name, value)
            while self._libraries:
                self._libraries.pop()._destroy()

    def _mix(self) -> None:
        if not self._mixes:
            self._mixes = True
            self._register(kernels_of_autocast)

    def _register(self, *kernels: Callable[[torch.library.Library], None]) -> None:
        library = torch.library.Library("aten", "IMPL")
        self._libraries.append(library)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=_OVERRIDES)
            for register in kernels:
                register(library)


def _others(uses: Uses) -> Iterator[Patch]:
    """Yield what has nothing to do with tensors: compilers, and loaders that pin memory."""

    def compiled(model: Any = None, **settings: Any) -> Any:
        uses.add("torch.compile")
        if model is None:
            return lambda function: compiled(function, **settings)
        if isinstance(model, nn.Module):
            model.__dict__["_orig_mod"] = model
        return model

    def loading(load: Callable[..., None]) -> Callable[..., None]:
        @wraps(load)
        def begin(self: Any, *args: Any, **kwargs: Any) -> None:
            load(self, *args, **kwargs)
            self.pin_memory = False

        return begin

    yield torch, "compile", compiled
    yield nn.Module, "compile", lambda *_, **__: uses.add("torch.compile")
    yield torch.utils.data.DataLoader, "__init__", Wrapper(loading)
