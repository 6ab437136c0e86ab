"""The random numbers that steps draw for each sample of a batch."""

from __future__ import annotations

from collections.abc import Mapping

from symmetry.jax.jaxprs.noise import is_random
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.batching import Reordering


class JaxReordering(Reordering):
    """Finds draws for samples. It puts none in another order: a key makes all its numbers."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def follow_samples(self, count: int) -> Mapping[str, bool]:
        """Return the lines that draw for ``count`` samples, each with False."""
        flat = self._stepper.traced.flat(self._stepper.manner)
        return {
            str(place_of(equation)): False
            for equation in flat.jaxpr.jaxpr.eqns
            if is_random(equation) and any(count in v.aval.shape for v in equation.outvars)
        }
