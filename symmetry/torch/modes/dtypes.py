"""Which dtypes are promoted to which, and functions that take tensors of one dtype only."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map
from torch.utils.weak import WeakTensorKeyDictionary

HALF = frozenset({torch.bfloat16, torch.float16})
WIDE = {torch.complex64: torch.complex128} | dict.fromkeys({*HALF, torch.float32}, torch.float64)
WIDEST = frozenset(WIDE.values())
_copies = WeakTensorKeyDictionary()  # in float64, of tensors that were computed before a run


def widened(tensor: Tensor) -> Tensor:
    """Return a tensor's numbers in float64; the tensor itself if there is nothing to widen."""
    return tensor.to(WIDE.get(tensor.dtype, tensor.dtype))


def widened_value(value: Any) -> Any:
    """Return a value in float64 if it is a tensor with fewer bits."""
    return widened(value) if is_low(value) else value


def is_low(value: Any) -> bool:
    """Return whether a value is a tensor that promotion widens."""
    return isinstance(value, Tensor) and value.dtype in WIDE


def widened_once(value: Any) -> Any:
    """Return a tensor of an older graph in float64, always as the same copy; others as they are.

    It was computed before the run began. A derivative by it is one by its copy.
    """
    if not (is_low(value) and value.requires_grad and not value.is_leaf):
        return value
    if torch._C._functorch.is_functorch_wrapped_tensor(value):  # it belongs to a transform
        return value
    copy = _copies.get(value)
    if copy is None or not torch.equal(copy.detach(), widened(value.detach())):
        copy = _copies[value] = widened(value)
    return copy


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


class MixedDtypes(TorchFunctionMode):
    """Lets a function that is handed both float64 and fewer bits have float64 alone.

    Some functions compare the dtypes before any operation is performed. A tensor that was computed
    before the run, with gradients, has a copy in float64 in its place: derivatives by it, as in a
    network that solves an equation, would have fewer bits.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = {*_dtypes_in(args), *_dtypes_in(kwargs.values())}
        if found & WIDE.keys() and (_computes(func) or func is torch.autograd.grad):
            args, kwargs = tree_map(widened_once, (args, kwargs))
        if len(found) > 1 and found & WIDEST and found & WIDE.keys() and _computes(func):
            args, kwargs = tree_map(widened_value, (args, kwargs))
        if torch.float64 in found and getattr(func, "__name__", "").endswith("grouped_mm"):
            func = _products_by_group
        return func(*args, **kwargs)


def _products_by_group(a: Tensor, b: Tensor, *, offs: Tensor, **_: Any) -> Tensor:
    """Multiply each group of rows by its own matrix: PyTorch's kernel does not support float64."""
    ends = [0, *offs.tolist()]
    rows = [a[start:end] @ b[k] for k, (start, end) in enumerate(pairwise(ends))]
    return torch.cat(rows)


def _dtypes_in(values: Iterable[Any]) -> Iterator[torch.dtype]:
    """Yield the dtypes of tensors, also of those in lists and tuples."""
    for value in values:
        if isinstance(value, Tensor):
            yield value.dtype
        elif isinstance(value, (list, tuple)):
            yield from _dtypes_in(value)


def _computes(func: Any) -> bool:
    name = getattr(func, "__name__", "")
    return not name.endswith("_") and name not in {"backward", "grad", "__get__", "__set__", "to"}
