"""What a run holds: its parameters, and the arrays of its state by name."""

from __future__ import annotations

from collections.abc import Container, Mapping

import torch
from torch import Tensor, nn

from symmetry.base import ranks
from symmetry.torch.objects import Objects, held_by
from symmetry.torch.replicas import digests_of, gathered
from symmetry.torch.state import (
    as_array,
    has_numbers,
    is_distributed,
    layers_of,
    tensors_of,
    unwrapped,
    write,
)
from symmetry.units.state import Array, State


class Arrays:
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
        self._reached: set[str] = set()  # the parameters that a gradient came to

    @property
    def model(self) -> nn.Module:
        """The module that the training returned."""
        return self.objects.model

    @property
    def model_name(self) -> str:
        """The name of the model's class."""
        return type(self.model).__name__

    @property
    def trained(self) -> frozenset[str]:
        """The parameters that a gradient has come to by now, or that an optimiser holds.

        The former may be frozen at the end of a step, as a critic is while a generator learns.
        """
        return (self.trainable & self.held) | self._reached or self.trainable

    @property
    def held(self) -> frozenset[str]:
        """The parameters that an optimiser holds."""
        ids = {id(p) for o in self.objects.optimizers.values() for p in held_by(o)}
        return frozenset(name for name, p in self.parameters.items() if id(p) in ids)

    @property
    def trainable(self) -> frozenset[str]:
        """The parameters that require a gradient."""
        return frozenset(name for name, p in self.parameters.items() if p.requires_grad)

    @property
    def turned(self) -> frozenset[str]:
        """The matrices that make units along their second axis."""
        return frozenset(
            f"model.{unwrapped(name)}.weight"
            for name, module in self.model.named_modules()
            if getattr(module, "transposed", isinstance(module, nn.Embedding | nn.EmbeddingBag))
        )

    @property
    def layers(self) -> dict[str, tuple[int, int]]:
        """The matrices of layers, with the axis along which they make units, and how many."""
        return layers_of(self.model, self.parameters, self.turned)

    @property
    def sharded(self) -> bool:
        """Whether ranks hold parameters in parts, as ``DTensor``."""
        return ranks.world() > 1 and any(map(is_distributed, self.parameters.values()))

    @property
    def on_gpu(self) -> bool:
        """Whether a parameter is on a GPU."""
        return any(parameter.is_cuda for parameter in self.parameters.values())

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the state: writing into one changes the training."""
        return tensors_of(self.objects)

    def state(self, *, copy: bool = True) -> dict[str, Array]:
        """Return all floating-point tensors, by name; float32 or float64.

        Optimisers make their tensors in the first step, so that there are more after it. Without
        ``copy`` the next step may change what is returned.
        """
        return {name: as_array(t, copy=copy) for name, t in self.tensors().items()}

    def leaves(self, names: Container[str] | None = None) -> dict[str, Array]:
        """Return copies of the model's parameters and buffers, or of those of these names."""
        return {name: as_array(tensor) for name, tensor in self._leaves(names).items()}

    def _leaves(self, names: Container[str] | None) -> dict[str, Tensor]:
        """Return the parameters and buffers that have numbers, the objects themselves."""
        buffers = {f"model.{unwrapped(n)}": b for n, b in self.model.named_buffers()}
        return {
            name: tensor
            for name, tensor in {**self.parameters, **buffers}.items()
            if has_numbers(tensor) and (names is None or name in names)
        }

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

    def _all_tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the state, and those that modules have as plain attributes."""
        attributes = {
            f"model.{path}.{name}".replace("..", "."): value
            for path, module in self.model.named_modules()
            for name, value in vars(module).items()
            if isinstance(value, Tensor) and value.layout is torch.strided
        }
        return {**attributes, **self.tensors()}

    def gradients(self) -> dict[str, Array]:
        """Return copies of the gradients that there are, by the names of their parameters."""
        return {
            name: as_array(p.grad.to_dense())
            for name, p in self.parameters.items()
            if p.grad is not None
        }

    def digests(self) -> dict[str, str]:
        """Return a digest of each parameter that is a copy."""
        return digests_of(self.parameters)

    def gathered(self, mine: dict[str, str]) -> list[dict[str, str]]:
        """Return the digests of all ranks."""
        return gathered(mine)
