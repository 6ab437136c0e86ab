"""The optimiser of a step, as the leaves of its state show it."""

from __future__ import annotations

from typing import Any

import numpy as np

from symmetry.jax.jaxprs.step import TracedStep
from symmetry.jax.leaves import Leaves
from symmetry.training.capabilities.model import Optimizer

_RATE = "hyperparams.learning_rate"  # where optax.inject_hyperparams keeps it


class JaxOptimizer(Optimizer):
    """Whatever in a step updates the parameters from their gradients.

    A rate is known where ``optax.inject_hyperparams`` keeps it in the state, and each step leaves
    it there as it is.

    Attributes
    ----------
    is_set
        Whether other rates are set for the moment.
    """

    kind = "update"
    scheduled = False

    def __init__(self, leaves: Leaves, rates: tuple[int, ...]) -> None:
        self._leaves, self._rates = leaves, rates
        self._true: dict[int, Any] = {}

    @classmethod
    def of(cls, leaves: Leaves, traced: TracedStep) -> JaxOptimizer | None:
        """Return the optimiser of a step; None if the step shows no gradients."""
        if not traced.gradients:
            return None
        named = [n for n, name in enumerate(leaves.names) if name.endswith(_RATE)]
        kept = all(number in traced.kept for number in named)
        return cls(leaves, tuple(named) if kept else ())

    @property
    def is_set(self) -> bool:
        """Whether other rates are set for the moment."""
        return bool(self._true)

    def rates(self) -> dict[str, float | None]:
        """Return the rate of each parameter; None where it is not known."""
        rates = [float(np.asarray(self._leaves.values[number])) for number in self._rates]
        return dict.fromkeys(self._leaves.parameters, rates[0] if len(rates) == 1 else None)

    def zero_rates(self) -> None:
        """Set all learning rates to zero, up to ``restore_rates``."""
        for number in self._rates:
            self._true[number] = self._leaves.values[number]
            self._leaves.values[number] = np.zeros_like(self._true[number])

    def restore_rates(self) -> None:
        """Set the learning rates to what they were before ``zero_rates``."""
        for number, rate in self._true.items():
            self._leaves.values[number] = rate
        self._true.clear()
