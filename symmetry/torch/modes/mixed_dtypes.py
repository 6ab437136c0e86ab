"""Functions that compare dtypes before any operation, given float64 alone."""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_map

from symmetry.torch.modes.dtypes import WIDE, WIDEST, widened_value


class MixedDtypes(TorchFunctionMode):
    """Lets a function that is handed both float64 and fewer bits have float64 alone.

    Some functions compare the dtypes before any operation is performed.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        found = {*_dtypes_in(args), *_dtypes_in(kwargs.values())}
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
