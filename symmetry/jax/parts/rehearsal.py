"""Steps up to their losses: no gradient and no update is computed."""

from __future__ import annotations

from symmetry.jax.raising import readable
from symmetry.jax.stepper import Stepper
from symmetry.training.capabilities.rehearsing import Rehearsing


class JaxRehearsing(Rehearsing):
    """Rehearses steps of a run: the losses are computed, and the leaves that are not trained."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def rehearse(
        self,
        backwards: int,  # noqa: ARG002
        grads: int,  # noqa: ARG002
        gradient: float | None = None,  # noqa: ARG002
        *,
        whole: bool = False,  # noqa: ARG002
    ) -> None:
        """Take the next step up to its losses; its gradients are computed nowhere."""
        with readable(f"step({self._stepper.taken})"):
            self._stepper.rehearse()

    def loss_sums(self) -> list[float]:
        """Return the sum of all entries of each loss of the last step."""
        return self._stepper.loss_sums()
