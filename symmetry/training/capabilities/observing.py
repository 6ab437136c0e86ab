"""Steps seen from inside: observed, recorded, traced, taken up to their losses, computed again."""

from abc import abstractmethod
from collections.abc import Callable, Container, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from symmetry.observe.source_line import SourceLine
from symmetry.observe.tape import Tape
from symmetry.training.capabilities.capability import Capability
from symmetry.training.observation import Observation
from symmetry.training.trace import Trace
from symmetry.units.state import Array


@dataclass(frozen=True)
class Recomputed:
    """A part of a forward that a backward has computed again, from the same inputs."""

    name: str  # of a function, or the class of a module
    at: SourceLine
    distance: float  # of the results, by the largest entry of the first one


class Recomputing(Capability):
    """Compares what is computed again with the forward, with all random numbers as they are."""

    absent = "its runs compute nothing again in a backward"

    @abstractmethod
    def recomputed(self) -> AbstractContextManager[Sequence[Recomputed]]:
        """Collect what the backwards of a step compute again while the block runs."""


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


class Rehearsing(Capability):
    """Takes steps up to their losses, without gradients and updates."""

    absent = "its steps cannot be taken up to their losses alone"

    @abstractmethod
    def rehearse(
        self, backwards: int, grads: int, gradient: float | None = None, *, whole: bool = False
    ) -> None:
        """Take the next step up to its losses, without any gradient or update.

        Parameters
        ----------
        backwards, grads
            How often the step computes gradients when it is taken normally. It ends there.
        gradient
            The value of each entry of the gradients, for steps that do something with them.
        whole
            Whether the step goes on to its end. Then it changes no array that runs are compared by.
        """

    @abstractmethod
    def loss_sums(self) -> list[float]:
        """Return the sum of all entries of each loss of the last step."""


class Tracing(Capability):
    """Records the operations of steps as a trace."""

    @abstractmethod
    def leaves(self, names: Container[str] | None = None) -> dict[str, Array]:
        """Return copies of the arrays that units may lie in, or the ones with these names.

        They are the parameters and the model's buffers.
        """

    @abstractmethod
    def trace(self, names: Container[str], step: Callable[[], None], steps: int) -> Trace:
        """Return the trace of several steps, each taken by a call of ``step``.

        Its leaves are the arrays of these names, its loss is the weighted sum of all losses.
        """
