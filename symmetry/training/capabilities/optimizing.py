"""``Optimizing``: the optimisers of a run, and what they hold."""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.capabilities.capability import Capability
from symmetry.training.capabilities.layered import UNKNOWN, Creation


class Optimizer(ABC):
    """An optimiser of a run.

    Attributes
    ----------
    kind
        The name of its class.
    """

    kind: str

    @abstractmethod
    def rates(self) -> dict[str, float | None]:
        """Return the learning rate of each parameter that it holds; None where it has none."""

    @property
    def creation(self) -> Creation:
        """Where it was made, if the framework shows it."""
        return UNKNOWN

    @property
    @abstractmethod
    def scheduled(self) -> bool:
        """Whether something but its constructor sets its rates, such as a scheduler."""

    @abstractmethod
    def zero_rates(self) -> None:
        """Set all learning rates to zero, up to ``restore_rates``."""

    @abstractmethod
    def restore_rates(self) -> None:
        """Set the learning rates to what they were before ``zero_rates``."""


class Optimizing(Capability):
    """The optimisers of a run, with the parameters that they hold."""

    absent = "it has no optimiser"

    @property
    @abstractmethod
    def optimizers(self) -> Mapping[str, Optimizer]:
        """The optimisers by name, in the order in which they were made."""

    @property
    @abstractmethod
    def held(self) -> frozenset[str]:
        """The parameters that an optimiser holds."""

    def updated_at(self, name: str) -> SourceLine:  # noqa: ARG002
        """Return the user's line that updates a parameter, if the framework shows it."""
        return NOWHERE


class Freezing(Capability):
    """The parameters of a run, each of which shows whether it is frozen.

    Without it, a parameter that is frozen by mistake looks like one that is frozen on purpose.
    """

    absent = "its parameters do not show whether they are frozen"

    @property
    @abstractmethod
    def trainable(self) -> frozenset[str]:
        """The parameters that require a gradient."""
