"""The rows that a script takes for a batch without a ``DataLoader``, and puts in another order.

    x = images[order[i : i + 32]]       order[i : i + 32] returns 32 of 512 numbers, and
                                        images[...] 32 of 512 rows

A function reads rows if it returns fewer of them than its source has. So do ``torch.stack``, which
makes a batch of its rows, and ``torch.tensor`` of what is no tensor.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from types import EllipsisType
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor
from torch.utils._pytree import tree_leaves

from symmetry.base.errors import TrainingError
from symmetry.base.user_code import callers, is_user_code
from symmetry.torch.watch.calls import running_modules
from symmetry.torch.watch.functions import results
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.capabilities.batching import Doubt

_MOST = 500  # times as many reads as before the end of the first step
_AXES = {"index_select": 1, "narrow": 1, "split": 2, "chunk": 2, "tensor_split": 2}  # their places
_CONVERSIONS = {"tensor", "as_tensor", "asarray", "from_numpy"}
READING = frozenset({"__getitem__", "stack", *_AXES, *_CONVERSIONS})


class Site(NamedTuple):
    """The instruction of a user's that calls a function."""

    file: str
    function: int  # its first line
    instruction: int
    called: str


@dataclass(frozen=True)
class SampleRows:
    """The rows that are the samples of a script's batches."""

    count: int  # of a batch
    sites: frozenset[Site] = field(repr=False)  # that read them
    reads: int  # how often rows were read before the first step ended
    draws: frozenset[str]  # the lines that draw their places
    doubt: Doubt  # why it is not certain that they may be rearranged; empty if it is


def rearranged(rows: SampleRows, put: Callable[[Tensor], Tensor]) -> AbstractContextManager[None]:
    """Let ``put`` rearrange the rows that a script reads for a batch while the block runs.

    Raises
    ------
    TrainingError
        In the script, where it reads rows without an end: it may draw others until all of them
        fit, and mark by their places those that do not.
    """
    left = _MOST * rows.reads

    def see(func: Any, _args: Any, _kwargs: Any, result: Any) -> Any:
        nonlocal left
        name = func.__name__
        if name not in READING or site_of(name) not in rows.sites or in_a_module():
            return None
        left -= 1
        if left < 0:
            raise TrainingError("it reads rows without an end")
        return put(result) if isinstance(result, Tensor) else type(result)(map(put, result))

    return results(see)


def reads_rows(name: str, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> bool:
    """Return whether a function returns some of the rows of its data, or makes rows of pieces."""
    if name not in READING or in_a_module():
        return False
    if name in _CONVERSIONS:
        return isinstance(result, Tensor) and result.ndim > 0 and not tensors_in(args[:1])
    if name == "stack":
        return not _axis(args, kwargs, 1) and not result.requires_grad
    first = result if isinstance(result, Tensor) else next(iter(result), None)
    source = args[0] if args else None
    if not isinstance(first, Tensor) or not first.ndim or not isinstance(source, Tensor):
        return False
    along = _takes_rows(args[1]) if name == "__getitem__" else not _axis(args, kwargs, _AXES[name])
    return along and len(first) < len(source) and not source.requires_grad


def _axis(args: Sequence[Any], kwargs: dict[str, Any], place: int) -> int:
    axis: int = args[place] if len(args) > place else kwargs.get("dim", 0)
    return axis


def _takes_rows(key: Any) -> bool:
    """Return whether an index takes several rows, and no more than a slice of each."""
    first, *others = key if isinstance(key, tuple) and key else (key,)
    several = isinstance(first, slice | list | range | np.ndarray)
    several = several or (isinstance(first, Tensor) and first.ndim > 0)
    return several and all(isinstance(k, slice | int | EllipsisType | None) for k in others)


def operands_in(values: Sequence[Any]) -> list[Tensor]:
    """Return the tensors in arguments, also those that begin and end slices."""
    leaves = list[Any]()
    for leaf in tree_leaves([*values]):
        leaves += [leaf.start, leaf.stop] if isinstance(leaf, slice) else [leaf]
    return [leaf for leaf in leaves if isinstance(leaf, Tensor)]


def in_a_module() -> bool:
    """Return whether the forward of a module runs now: tensors that it reads are no batch."""
    return next(running_modules(), None) is not None


def site_of(called: str) -> Site:
    """Return the instruction of the user's that is running."""
    for frame in callers():
        code = frame.f_code
        if is_user_code(code.co_filename):
            return Site(code.co_filename, code.co_firstlineno, frame.f_lasti, called)
    return Site("", 0, 0, called)
