"""Settings of JAX that must not matter to a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr

from symmetry.base.errors import TrainingError
from symmetry.jax.jaxprs.interpreter import equations_in
from symmetry.jax.program import Program
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.platform import ALL, Configuring


class JaxSettings(Configuring):
    """Takes the steps of a run without compiling them.

    Parameters
    ----------
    stepper
        Takes the steps.
    made_again
        Returns a program of fresh objects.
    """

    settings = rare = frozenset({"jit"})

    def __init__(self, stepper: Stepper, made_again: Callable[[], Program]) -> None:
        self._stepper, self._made_again = stepper, made_again

    @contextmanager
    def with_setting(
        self,
        setting: str,  # noqa: ARG002
        part: slice = ALL,  # noqa: ARG002
    ) -> Iterator[Callable[[], bool]]:
        """Take the steps without ``jax.jit`` while the block runs; JAX has no other setting."""
        stepper = self._stepper
        if not stepper.manner.noise and stepper.traced.noise:
            raise TrainingError("its noise can be left out of compiled steps only")
        if _has_16_bits(stepper.traced.jaxpr):  # the compiler keeps more bits within what it fuses
            raise TrainingError("results of 16 bits are rounded elsewhere where they are compiled")
        stepper.uncompiled = self._made_again()
        try:
            yield lambda: True
        finally:
            stepper.uncompiled = None


def _has_16_bits(jaxpr: ClosedJaxpr) -> bool:
    """Return whether a step computes floating-point numbers of 16 bits."""
    variables = (v for equation in equations_in(jaxpr.jaxpr) for v in equation.outvars)
    dtypes = {getattr(variable.aval, "dtype", np.dtype(bool)) for variable in variables}
    return any(jnp.issubdtype(d, jnp.floating) and d.itemsize == 2 for d in dtypes)
