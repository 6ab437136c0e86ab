"""Sums over all entries of a tensor, with the user's line of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from symmetry.observe.place import Place, users_line

_SUMS = (torch.sum, Tensor.sum)


class Sums(TorchFunctionMode):
    """Sees sums over all entries of something trained.

    Parameters
    ----------
    see
        Called with the shape that is summed and the user's line.
    """

    def __init__(self, see: Callable[[tuple[int, ...], Place], None]) -> None:
        super().__init__()
        self._see = see

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if func in _SUMS and args and isinstance(args[0], Tensor):
            summed = args[0]
            if summed.requires_grad and summed.ndim and result.ndim == 0:
                self._see(tuple(summed.shape), users_line())
        return result
