"""The random numbers of a run: JAX makes them of keys, which are part of the training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from symmetry.base.randomness.unseeded import Unseeded
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.drawing import Drawing, Keyed, KeyedDraw


class JaxDrawing(Drawing):
    """The random numbers that a step draws beside those of its keys, by NumPy."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def reseed(self, seed: int) -> None:
        """Continue with the random numbers of a seed; keys stay what they are."""
        self._stepper.program.random_states.reseed(seed)

    def draw_alike(self) -> None:
        """Do nothing: the same keys draw the same numbers."""

    @property
    def unseeded(self) -> tuple[Unseeded, ...]:
        """The lines by now that make random generators without a seed."""
        return self._stepper.program.random_states.unseeded

    @property
    def draws(self) -> Mapping[Any, int]:
        """Nothing: draws are not counted."""
        return {}

    @property
    def random_numbers(self) -> Mapping[str, None]:
        """Nothing: what draws are given is not read."""
        return {}


class JaxKeyed(Keyed):
    """The noise of the model, as the jaxpr of a step shows it."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def noise(self) -> Sequence[KeyedDraw]:
        """Return the draws that the next parameters depend on.

        None if steps are traced by their numbers.
        """
        if self._stepper.program.by_number:
            return ()
        drawn = self._stepper.traced.trained_noise
        return [KeyedDraw(draw.at, draw.fixed, draw.drops) for draw in drawn]

    @property
    def has_batches(self) -> bool:
        """Whether arrays of the first two batches differ: a script gives its whole data as well."""
        program = self._stepper.program
        if program.made.batch is None:
            return False
        first, second = (jax.tree.leaves(program.given(step)) for step in range(2))
        return len(first) != len(second) or any(
            np.ndim(one) > 0 and not jnp.array_equal(one, other)
            for one, other in zip(first, second, strict=True)
        )
