"""``Differentiating``: the gradients that a run keeps of its parameters."""

from abc import ABC, abstractmethod

from symmetry.units.state import Array


class Differentiating(ABC):
    """The gradients that a run keeps of its parameters."""

    @abstractmethod
    def gradients(self) -> dict[str, Array]:
        """Return copies of the gradients that there are, by the names of their parameters."""
