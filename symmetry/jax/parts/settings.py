"""Settings of JAX that must not matter to a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr

from symmetry.base.errors import TrainingError
from symmetry.jax.jaxprs.walk import equations_in
from symmetry.jax.program import Program
from symmetry.jax.stepper import Stepper
from symmetry.training.baseline import JUDGED
from symmetry.training.capabilities.platform import ALL, Configuring


class JaxSettings(Configuring):
    """Takes the steps of a run without what ``jax.jit`` has frozen.

    Parameters
    ----------
    stepper
        Takes the steps.
    anew
        Returns a program that traces each of its steps as if there was no ``jax.jit``.
    """

    settings = rare = frozenset({"jit"})

    def __init__(self, stepper: Stepper, anew: Callable[[], Program]) -> None:
        self._stepper, self._anew = stepper, anew

    @contextmanager
    def with_setting(
        self,
        setting: str,  # noqa: ARG002
        part: slice = ALL,  # noqa: ARG002
    ) -> Iterator[Callable[[], bool]]:
        """Take the steps without ``jax.jit`` while the block runs; JAX has no other setting.

        All functions run as Python in each step. Their operations are compiled afterwards; if these
        are the same ones as before, no step deviates.
        """
        anew, jitted = self._anew(), self._stepper.program
        others = [anew.traced(n) for n in range(JUDGED) if anew.traced(n) is not jitted.traced(n)]
        if any(_has_16_bits(other.jaxpr) for other in others):
            # The compiler keeps more bits within what it fuses, and fuses others in each.
            raise TrainingError("results of 16 bits are rounded elsewhere in another program")
        with patch.object(self._stepper, "program", anew):
            yield lambda: True

    def reason(self, setting: str) -> str:  # noqa: ARG002
        """Name what a jitted step of a script reads by name, and what is another one later."""
        step = getattr(self._stepper.program.made.step, "__self__", None)
        names = ", ".join(getattr(step, "frozen", ()))
        if not names:
            return ""
        return f"jax.jit keeps {names} of its first call: hand what changes over as arguments"


def _has_16_bits(jaxpr: ClosedJaxpr) -> bool:
    """Return whether a step computes floating-point numbers of 16 bits."""
    variables = (v for _, equation in equations_in(jaxpr.jaxpr) for v in equation.outvars)
    dtypes = {getattr(variable.aval, "dtype", np.dtype(bool)) for variable in variables}
    return any(jnp.issubdtype(d, jnp.floating) and d.itemsize == 2 for d in dtypes)
