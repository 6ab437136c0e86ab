"""The optimiser of a run, and the parameters that it holds."""

from __future__ import annotations

from collections.abc import Mapping

from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.step import StepManner
from symmetry.jax.optimizer import JaxOptimizer
from symmetry.jax.stepper import Stepper
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.capabilities.optimizing import Optimizing


class JaxOptimizers(Optimizing):
    """The optimiser of a run: there is one for all parameters, or none that is known."""

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

    def updated_at(self, name: str) -> SourceLine:
        """Return the user's line that makes the next value of a parameter."""
        flat = self._stepper.traced.flat(StepManner())
        core = flat.jaxpr.jaxpr
        leaf = f"leaf.{self._stepper.leaves.names.index(name)}"
        after = core.outvars[flat.outputs.index(leaf)]
        made = (e for e in core.eqns if any(variable is after for variable in e.outvars))
        return next(map(place_of, made), NOWHERE)
