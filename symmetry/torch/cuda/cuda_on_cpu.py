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
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import torch
from torch import nn

from symmetry.base.patches import Patch
from symmetry.torch.cuda import devices, names, precision, ranks
from symmetry.torch.cuda.uses import Uses, Wrapper

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
            *precision.Precision(self.uses, self._mix).patches(),
            *ranks.patches(self.uses),
            *_others(self.uses),
        )

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Replace CUDA by the CPU while the block runs."""
        before = [(owner, name, vars(owner).get(name, _NONE)) for owner, name, _ in self._patches]
        self._register(devices.kernels, precision.kernels_of_convolutions)
        if self._mixes:
            self._register(precision.kernels_of_autocast)
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
            self._register(precision.kernels_of_autocast)

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
