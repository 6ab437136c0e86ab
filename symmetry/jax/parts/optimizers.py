"""The optimiser of a run, and the parameters that it holds."""

from __future__ import annotations

from collections.abc import Mapping

from symmetry.jax.optimizer import JaxOptimizer
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.optimizing import Optimizing


class JaxOptimizers(Optimizing):
    """The optimiser of a run: there is one for all parameters, or none that is known."""

    declares_frozen = False

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    @property
    def optimizers(self) -> Mapping[str, JaxOptimizer]:
        """The optimiser, by a name."""
        optimizer = self._stepper.optimizer
        return {} if optimizer is None else {"its update": optimizer}

    @property
    def held(self) -> frozenset[str]:
        """The parameters."""
        return frozenset(self._stepper.leaves.parameters)

    @property
    def trainable(self) -> frozenset[str]:
        """The parameters."""
        return self.held
