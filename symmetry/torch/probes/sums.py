"""Sums over all entries of a tensor, and norms of all, with the user's line of each."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor

from symmetry.observe.source_line import SourceLine, users_line


class Sums:
    """Sees sums over all entries of something trained; it is a ``FunctionListener``.

    Parameters
    ----------
    see
        Called with the shape that is summed and the user's line.
    """

    functions: frozenset[Hashable] = frozenset((torch.sum, Tensor.sum))
    _before_axes = 2  # the place of the argument that says which axes are summed, from 1

    def __init__(self, see: Callable[[tuple[int, ...], SourceLine], None]) -> None:
        self._see = see

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:  # noqa: ARG002
        """Return the arguments as they are."""
        summed = args[0] if args else kwargs.get("input")
        if isinstance(summed, Tensor) and summed.requires_grad and summed.ndim:
            whole = len(args) < self._before_axes and kwargs.get("dim") is None
            if whole or summed.ndim == 1:
                self._see(tuple(summed.shape), users_line())
        return args, kwargs


class Norms(Sums):
    """Sees norms of all entries of something trained."""

    functions = frozenset((torch.norm, Tensor.norm, torch.linalg.norm, torch.linalg.vector_norm))
    _before_axes = 3
