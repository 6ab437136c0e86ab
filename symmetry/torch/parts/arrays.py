"""The objects of a run, read and written as arrays by name."""

from __future__ import annotations

from collections.abc import Container, Mapping

import torch
from torch import Tensor, nn

from symmetry.torch.objects import Objects
from symmetry.torch.state import as_array, has_numbers, tensors_of, unwrapped, write
from symmetry.training.capabilities.model import Differentiating
from symmetry.units.state import Array, State


class Arrays(Differentiating):
    """The objects of a run, read and written as arrays.

    Attributes
    ----------
    objects
        What the function made.
    parameters
        The parameters themselves, with their gradients.
    """

    def __init__(self, objects: Objects, parameters: Mapping[str, nn.Parameter]) -> None:
        self.objects, self.parameters = objects, parameters

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the state: writing into one changes the training."""
        return tensors_of(self.objects)

    def tensors_and_attributes(self) -> dict[str, Tensor]:
        """Return the tensors of the state, and those that modules have as plain attributes."""
        attributes = {
            f"model.{path}.{name}".replace("..", "."): value
            for path, module in self.objects.model.named_modules()
            for name, value in vars(module).items()
            if isinstance(value, Tensor) and value.layout is torch.strided
        }
        return {**attributes, **self.tensors()}

    def leaves(self, names: Container[str] | None = None) -> dict[str, Tensor]:
        """Return the parameters and buffers that have numbers, or the ones with these names."""
        buffers = {f"model.{unwrapped(n)}": b for n, b in self.objects.model.named_buffers()}
        return {
            name: tensor
            for name, tensor in {**self.parameters, **buffers}.items()
            if has_numbers(tensor) and (names is None or name in names)
        }

    def state(self, *, copy: bool = True) -> dict[str, Array]:
        """Return all floating-point tensors, by name; float32 or float64."""
        return {name: as_array(t, copy=copy) for name, t in self.tensors().items()}

    def parameter_arrays(self) -> dict[str, Array]:
        """Return copies of the parameters alone."""
        return {name: as_array(p) for name, p in self.parameters.items()}

    def load(self, state: State) -> None:
        """Write arrays into the tensors of these names; other tensors stay."""
        tensors = self.tensors()
        for name, array in state.items():
            write(tensors[name], array)

    def precision(self) -> dict[str, float]:
        """Return the eps of each tensor of the state, in the dtype that it really has."""
        return {name: torch.finfo(t.dtype).eps for name, t in self.tensors().items()}

    def gradients(self) -> dict[str, Array]:
        """Return copies of the gradients that there are, by the names of their parameters."""
        return {
            name: as_array(p.grad.to_dense())
            for name, p in self.parameters.items()
            if p.grad is not None
        }
