"""The calls of all modules, with one number for each position of a text in what goes in and out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from symmetry.observe.place import users_line
from symmetry.torch.probes.calls import can_be_hooked, in_forward
from symmetry.torch.state import as_array
from symmetry.training.losses import Moved
from symmetry.units.state import Array


class Positions:
    """Hooks on all modules that sum up each position of their inputs and outputs.

    Parameters
    ----------
    model
        Its modules are hooked, itself included.
    shape
        (batch, tokens): tensors that begin with these axes, in either order, have positions.

    Attributes
    ----------
    found
        Each call with its inputs and outputs, by number among the tensors, in the order in which
        they end.
    """

    def __init__(self, model: nn.Module, shape: tuple[int, ...]) -> None:
        self.found: list[tuple[Moved, dict[int, Array], dict[int, Array]]] = []
        self._model, self._shape = model, shape
        self._inputs: list[dict[int, Array]] = []  # of the calls that are going on

    @contextmanager
    def seen(self) -> Iterator[None]:
        """See the calls while the block runs."""
        with ExitStack() as stack:
            for name, module in self._model.named_modules():
                for hook in self._hooks(name, module) if can_be_hooked(module) else ():
                    stack.callback(hook.remove)
            yield

    def _hooks(self, name: str, module: nn.Module) -> Iterator[Any]:
        def enter(_: Any, args: Any, kwargs: Any) -> None:
            if in_forward():
                self._inputs.append(self._summed((args, kwargs)))

        def leave(_: Any, __: Any, output: Any) -> None:
            if in_forward() and self._inputs:
                call = Moved(name, type(module).__name__, users_line())
                self.found.append((call, self._inputs.pop(), self._summed(output)))

        yield module.register_forward_pre_hook(enter, with_kwargs=True)
        yield module.register_forward_hook(leave)

    def _summed(self, value: Any) -> dict[int, Array]:
        leaves = [leaf for leaf in tree_leaves(value) if isinstance(leaf, Tensor)]
        return {n: self._sums(leaf) for n, leaf in enumerate(leaves) if self._has_positions(leaf)}

    def _has_positions(self, tensor: Tensor) -> bool:
        first = tuple(tensor.shape[:2])
        return first in (self._shape, self._shape[::-1]) and tensor.ndim in (2, 3)

    def _sums(self, tensor: Tensor) -> Array:
        """Return a sum of the entries of each position, of which no two have the same weight."""
        array = as_array(tensor.detach().double())
        if array.shape[:2] != self._shape:
            array = array.swapaxes(0, 1)
        if array.ndim == 2:
            return array
        weights = torch.arange(1.0, array.shape[2] + 1, dtype=torch.float64).sqrt().numpy()
        sums: Array = array @ weights
        return sums
