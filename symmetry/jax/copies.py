"""Copies of parameters that one process holds: on several devices, or along the first axis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import jax
import numpy as np

from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.step import StepManner
from symmetry.jax.leaves import as_array
from symmetry.jax.stepper import Stepper
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.capabilities.platform import Copied
from symmetry.units.state import Array


class JaxCopies(Copied):
    """The copies of a run's parameters."""

    averaging = "jax.lax.pmean"

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def on_devices(self) -> Mapping[str, Sequence[Array]]:
        """Return each array that several devices hold as a whole, as each of them has it."""
        found, leaves = {}, self._stepper.leaves
        trained = leaves.parameters
        for name in sorted(leaves.places, key=lambda name: name not in trained):
            leaf = leaves.values[leaves.places[name]]
            shards = leaf.addressable_shards if isinstance(leaf, jax.Array) else ()
            whole = [shard.data for shard in shards if shard.data.shape == leaf.shape]
            if len(whole) > 1:
                found[name] = [as_array(data) for data in whole]
        return found

    def along_axis(self) -> Mapping[str, Array]:
        """Return all parameters if their first axis may hold copies: it is equally long in all."""
        arrays = {n: as_array(leaf) for n, leaf in self._stepper.leaves.parameters.items()}
        lengths = {np.shape(array)[0] if np.ndim(array) else 0 for array in arrays.values()}
        return arrays if len(lengths) == 1 and lengths.pop() > 1 else {}

    @property
    def gradient_place(self) -> SourceLine:
        """The user's line that computes gradients, or maps what does so over devices."""
        traced = self._stepper.traced
        flat = traced.flat(StepManner())
        made = [flat.graph.maker(flat.variables[name]) for name in traced.gradients]
        made += [e for e in flat.graph.equations if e.primitive.name == "shard_map"]
        return next((place_of(equation) for equation in made if equation is not None), NOWHERE)
