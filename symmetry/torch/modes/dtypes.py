"""Which dtypes are promoted to which, and tensors in wider ones."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

HALF = frozenset({torch.bfloat16, torch.float16})
WIDE = {torch.complex64: torch.complex128} | dict.fromkeys({*HALF, torch.float32}, torch.float64)
WIDEST = frozenset(WIDE.values())


def widened(tensor: Tensor) -> Tensor:
    """Return a tensor's numbers in float64; the tensor itself if there is nothing to widen."""
    return tensor.to(WIDE.get(tensor.dtype, tensor.dtype))


def widened_value(value: Any) -> Any:
    """Return a value in float64 if it is a tensor with fewer bits."""
    return widened(value) if is_low(value) else value


def is_low(value: Any) -> bool:
    """Return whether a value is a tensor that promotion widens."""
    return isinstance(value, Tensor) and value.dtype in WIDE


def widened_but_for(others: Mapping[int, Tensor]) -> Callable[[Any], Any]:
    """Return what widens values, but puts others in the place of some, which are given by id."""
    if not others:
        return widened_value
    return lambda value: others[id(value)] if id(value) in others else widened_value(value)


def mapped(change: Callable[[Any], Any], value: Any) -> Any:
    """Apply a function to a value, or to all in a list or tuple: operations take nothing deeper."""
    if isinstance(value, (list, tuple)) and not isinstance(value, torch.Size):
        return type(value)([mapped(change, each) for each in value])
    return change(value)
