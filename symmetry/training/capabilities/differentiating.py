"""``Differentiating``: the gradients that a run keeps of its parameters."""

from abc import abstractmethod
from collections.abc import Collection

from symmetry.training.capabilities.capability import Capability
from symmetry.training.capabilities.flowing import Cut
from symmetry.units.state import Array


class Differentiating(Capability):
    """The gradients that a run keeps of its parameters."""

    absent = "its runs keep no gradients"

    @abstractmethod
    def gradients(self) -> dict[str, Array]:
        """Return copies of the gradients that there are, by the names of their parameters."""

    def cut_of(self, names: Collection[str]) -> Cut | None:  # noqa: ARG002
        """Return the operation that cuts the gradient of parameters off; None if none is seen."""
        return None
