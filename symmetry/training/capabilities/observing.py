"""``Observing`` and ``Recording``: what happens inside of a step, beside the state after it."""

from abc import abstractmethod

from symmetry.observe.tape import Tape
from symmetry.training.capabilities.capability import Capability
from symmetry.training.observation import Observation
from symmetry.units.state import Array


class Observing(Capability):
    """Observes losses, gradients, updates and the results of modules."""

    @abstractmethod
    def observe(self) -> Observation:
        """Take the next step; return what it shows beside the state."""


class Recording(Capability):
    """Records every operation on arrays."""

    @abstractmethod
    def record(self, tape: Tape) -> None:
        """Take the next step; the tape gets each of its operations."""

    @abstractmethod
    def array_at(self, memory: int) -> tuple[str, Array] | None:
        """Return name and entries of the run's array that lies in a block of memory.

        ``memory`` is the number that the tape has for the block. Gradients are arrays, too.
        """
