"""The model of a run: its layers, its gradients, and the optimisers that update it."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from typing import ClassVar, NamedTuple

from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.capabilities.capability import Capability
from symmetry.training.capabilities.flowing import Cut
from symmetry.units.state import Array


class Creation(NamedTuple):
    """Where and when an object of a training was made."""

    place: SourceLine  # the user's line
    # Its number among all objects, in the order in which they are made; 0 if it is not known.
    number: int


UNKNOWN = Creation(NOWHERE, 0)


class Layered(Capability):
    """The layers of a run's model."""

    initialised: ClassVar[str]  # how to start weights at random, in words of its framework

    @property
    @abstractmethod
    def model_name(self) -> str:
        """The name of the model's class."""

    @property
    @abstractmethod
    def output_on_axis_1(self) -> frozenset[str]:
        """Weights whose output axis is 1, not 0: embeddings, transposed convolutions."""

    @property
    @abstractmethod
    def layers(self) -> Mapping[str, tuple[int, int]]:
        """The matrices of linear, convolution, embedding and recurrent modules.

        With each comes the axis along which it makes units, and how many those are.
        """

    def creation(self, parameter: str) -> Creation:  # noqa: ARG002
        """Return where the module of a parameter was made, if the framework shows it."""
        return UNKNOWN

    @property
    @abstractmethod
    def sharded(self) -> bool:
        """Whether ranks hold parameters in parts."""


class Differentiating(Capability):
    """The gradients that a run keeps of its parameters."""

    absent = "its runs keep no gradients"

    @abstractmethod
    def gradients(self) -> dict[str, Array]:
        """Return copies of the gradients that there are, by the names of their parameters."""

    def cut_of(self, names: Collection[str]) -> Cut | None:  # noqa: ARG002
        """Return the operation that cuts the gradient of parameters off; None if none is seen."""
        return None


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

    # Why a parameter may move by its gradient itself, and how to freeze it.
    raw: ClassVar[str] = "what freezes it hands its gradient on"
    absent = "it has no optimiser"

    @property
    @abstractmethod
    def optimizers(self) -> Mapping[str, Optimizer]:
        """The optimisers by name, in the order in which they were made."""

    @property
    @abstractmethod
    def held(self) -> frozenset[str]:
        """The parameters that an optimiser holds."""

    def waiting(self, stepped: Collection[frozenset[str]]) -> frozenset[str]:
        """Return the parameters of optimisers that took no step while others did.

        ``stepped`` are those of each optimiser that did. Losses that take turns have optimisers
        that wait.
        """
        held = (frozenset(each.rates()) for each in self.optimizers.values() if stepped)
        return frozenset[str]().union(*(names for names in held if names not in stepped))

    @property
    def keeps_all(self) -> bool:
        """Whether a step computes gradients, and returns all parameters as it takes them."""
        return False

    @property
    def moments_at(self) -> SourceLine | None:
        """The user's line that averages gradients in the state, where a step shows it."""
        return None

    @property
    def zero_rate_at(self) -> SourceLine | None:
        """The user's line that multiplies all updates by 0, where that is written in the step."""
        return None

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
