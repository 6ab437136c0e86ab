"""The gradients of a run's last step."""

from __future__ import annotations

import numpy as np

from symmetry.jax.leaves import as_array
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.differentiating import Differentiating
from symmetry.units.state import Array


class JaxGradients(Differentiating):
    """The gradients that the last step of a run has computed."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def gradients(self) -> dict[str, Array]:
        """Return the gradients that there are, by the names of their parameters.

        Several of one parameter are added up, and so are those of single samples.
        """
        stepper, found = self._stepper, dict[str, Array]()
        for name, leaf in stepper.gradients.items():
            gradient = np.asarray(stepper.outputs[name])
            extra = gradient.ndim - np.ndim(stepper.leaves.values[leaf])
            array = as_array(gradient.sum(tuple(range(extra))) if extra > 0 else gradient)
            parameter = stepper.leaves.names[leaf]
            found[parameter] = found[parameter] + array if parameter in found else array
        return found


def gradients_of(stepper: Stepper) -> JaxGradients | None:
    """Return the gradients of a run; None if its steps do not show any."""
    return JaxGradients(stepper) if stepper.traced.gradients else None
