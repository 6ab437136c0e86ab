"""The calls of all modules, with one number for each position of a text in what goes in and out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from symmetry.observe.source_line import users_line
from symmetry.torch.state import as_array
from symmetry.torch.watch.calls import hooked, in_forward
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.losses import Moved
from symmetry.units.state import Array

# Which axes of a tensor may be those of samples and positions: (samples, positions, ...) as in
# transformers, (positions, samples, ...) as in recurrent networks, (samples, channels, positions).
_AXES = ((0, 1), (1, 0), (0, 2))


class Positions:
    """Hooks on all modules that sum up each position of their inputs and outputs.

    Parameters
    ----------
    model
        Its modules are hooked, itself included.
    shape
        (batch, tokens): the lengths of the axes of samples and positions; see ``_AXES``.
    """

    def __init__(self, model: nn.Module, shape: tuple[int, ...]) -> None:
        # Each call with its inputs and outputs, by number among the tensors, in the order in which
        # they end.
        self.found: list[tuple[Moved, dict[int, Array], dict[int, Array]]] = []
        self._names = {module: name for name, module in model.named_modules()}
        self._shape = shape
        self._inputs: list[dict[int, Array]] = []  # of the calls that are going on

    @contextmanager
    def seen(self) -> Iterator[None]:
        """See the calls while the block runs."""
        with hooked(self._names, self._enter, self._leave):
            yield

    def _enter(self, _module: nn.Module, args: Any, kwargs: Any) -> None:
        if in_forward():
            self._inputs.append(self._summed((args, kwargs)))

    def _leave(self, module: nn.Module, _args: Any, _kwargs: Any, output: Any) -> None:
        if in_forward() and self._inputs:
            call = Moved(self._names[module], type(module).__name__, users_line())
            self.found.append((call, self._inputs.pop(), self._summed(output)))

    def _summed(self, value: Any) -> dict[int, Array]:
        sums = {number: self._sums(tensor) for number, tensor in enumerate(tensors_in(value))}
        return {number: array for number, array in sums.items() if array is not None}

    def _sums(self, tensor: Tensor) -> Array | None:
        """Return a sum of what belongs to each position, in which each entry has its own weight.

        None if the tensor has no axes of samples and positions.
        """
        shape = dict(enumerate(tensor.shape))
        fitting = (axes for axes in _AXES if tuple(map(shape.get, axes)) == self._shape)
        axes = next(fitting, None)
        if axes is None or tensor.layout is not torch.strided:
            return None
        array = np.moveaxis(as_array(tensor.detach().double()), axes, (0, 1))
        flat = array.reshape(*self._shape, -1)
        sums: Array = flat @ np.sqrt(np.arange(1.0, flat.shape[2] + 1))
        return sums
