"""Running somebody's PyTorch training in float64, whatever precision it is written for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

_LOW = {torch.float32, torch.bfloat16, torch.float16}
_CASTS = {"float", "half", "bfloat16"}
_ATTRIBUTES = {"__get__", "__set__", "__delete__"}


@contextmanager
def promoted() -> Iterator[None]:
    """Compute in float64 what is asked for in a lower precision; autocast and loss scaling are off.

    Parameters and buffers are converted by ``model.double()``; tensors that are drawn or made
    inside have the values that they have without, as float64.
    """
    scaler = torch.amp.GradScaler.__init__

    def disabled(self: Any, *args: Any, **kwargs: Any) -> None:
        scaler(self, *args, **{**kwargs, "enabled": False})

    def nothing(*_: Any) -> None:
        return None

    autocast = torch.autocast
    with (
        mock.patch.object(torch.amp.GradScaler, "__init__", disabled),
        mock.patch.object(autocast, "__enter__", nothing),
        mock.patch.object(autocast, "__exit__", nothing),
        _Operations(),
        _Functions(),
    ):
        yield


class _Functions(TorchFunctionMode):
    """Above autograd: casts what functions are given and what they return."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name in _ATTRIBUTES:
            return func(*args, **kwargs)
        if name in _CASTS and isinstance(args[0], torch.Tensor):
            return args[0].double()
        if name.endswith("_") and not name.endswith("__") and args and _low(args[0]):
            if not args[0].is_leaf:
                return func(*args, **kwargs)
            args[0].data = args[0].data.double()  # in place, so that its owner sees the result
        args, kwargs = tree_map(_raised, (args, kwargs))
        return tree_map(_raised, func(*args, **kwargs))


class _Operations(TorchDispatchMode):
    """Below autograd: casts what functions do inside, where no function mode sees it."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not func._schema.is_mutable:
            args, kwargs = tree_map(_raised, (args, kwargs))
            return tree_map(_raised, func(*args, **kwargs))
        return func(*args, **kwargs)


def _low(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.dtype in _LOW


def _raised(value: Any) -> Any:
    """Return a tensor or a dtype in float64 where it is of lower precision, else the value."""
    if isinstance(value, torch.dtype):
        return torch.float64 if value in _LOW else value
    return value.double() if _low(value) else value
