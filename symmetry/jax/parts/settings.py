"""Settings of JAX that must not matter to a training."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from symmetry.base.errors import TrainingError
from symmetry.jax.program import Program
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.configuring import ALL, Configuring


class JaxSettings(Configuring):
    """Takes the steps of a run without compiling them.

    Parameters
    ----------
    stepper
        Takes the steps.
    made_again
        Returns a program of fresh objects.
    """

    def __init__(self, stepper: Stepper, made_again: Callable[[], Program]) -> None:
        self._stepper, self._made_again = stepper, made_again

    @contextmanager
    def with_setting(
        self,
        setting: str,
        part: slice = ALL,  # noqa: ARG002
    ) -> Iterator[Callable[[], bool]]:
        """Take the steps without ``jax.jit`` while the block runs; JAX has no other setting."""
        stepper = self._stepper
        if setting != "jit":
            yield lambda: False
            return
        if not stepper.manner.noise and stepper.traced.noise:
            raise TrainingError("its noise can be left out of compiled steps only")
        if "f16[" in str(stepper.traced.jaxpr):  # the compiler keeps more bits within what it fuses
            raise TrainingError("results of 16 bits are rounded elsewhere where they are compiled")
        stepper.uncompiled = self._made_again()
        try:
            yield lambda: True
        finally:
            stepper.uncompiled = None
