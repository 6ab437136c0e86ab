"""The leaves of a run's state, read and written as arrays by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from symmetry.jax.jaxprs.interpreter import is_key, widened
from symmetry.jax.jaxprs.step import Outputs
from symmetry.jax.made import has_numbers
from symmetry.jax.program import Program
from symmetry.units.state import Array, State


class Leaves:
    """The leaves of a state, which each step replaces.

    Parameters
    ----------
    program
        Has the leaves before the first step.
    promote
        Whether they have 64 bits.

    Attributes
    ----------
    values
        JAX's own arrays, or NumPy's.
    names
        The names of all.
    """

    def __init__(self, program: Program, *, promote: bool) -> None:
        self.names, self._promote = program.names, promote
        self.values = [self.as_taken(leaf) for leaf in program.start]
        self._parameters = program.traced(0).parameters

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Those that are trained."""
        return {self.names[number]: self.values[number] for number in self._parameters}

    @property
    def places(self) -> Mapping[str, int]:
        """The numbers of those with floating-point numbers, by name."""
        return {
            name: number
            for number, name in enumerate(self.names)
            if not is_key(self.values[number].dtype) and has_numbers(self.values[number])
        }

    def arrays(self) -> dict[str, Array]:
        """Return those with floating-point numbers."""
        return {name: as_array(self.values[number]) for name, number in self.places.items()}

    def load(self, state: State) -> None:
        """Write arrays into the leaves of these names; other leaves stay."""
        places = self.places
        for name, array in state.items():
            dtype = self.values[places[name]].dtype
            if jnp.issubdtype(dtype, jnp.complexfloating):
                array = array[..., 0] + 1j * array[..., 1]
            self.values[places[name]] = np.asarray(array).astype(dtype)

    def precision(self) -> dict[str, float]:
        """Return the eps of each, in the dtype that it really has."""
        places = self.places.items()
        return {name: float(jnp.finfo(self.values[n].dtype).eps) for name, n in places}

    def outputs(self, numbers: Sequence[int] | None = None) -> tuple[str, ...]:
        """Return the names of a step's outputs that are the next leaves: of all, or of some."""
        every = range(len(self.values)) if numbers is None else numbers
        return tuple(f"leaf.{number}" for number in every)

    def replace(self, outputs: Outputs) -> None:
        """Put the leaves among a step's outputs in the place of the present ones."""
        for number, (name, before) in enumerate(zip(self.outputs(), self.values, strict=True)):
            after = outputs.get(name, before)
            same = after.dtype == before.dtype or is_key(after.dtype)
            self.values[number] = after if same else np.asarray(after).astype(before.dtype)

    def as_taken(self, value: Any) -> Any:
        """Return an array with as many bits as steps take."""
        if not self._promote or is_key(value.dtype):
            return value
        return np.asarray(value).astype(widened(value.dtype))


def as_array(leaf: Any) -> Array:
    """Return a leaf in float32 or float64; complex numbers are pairs of real ones."""
    array = np.asarray(leaf)
    if array.dtype.kind == "c":
        array = np.stack([array.real, array.imag], axis=-1)
    return array.astype(np.float64 if array.dtype == np.float64 else np.float32)
