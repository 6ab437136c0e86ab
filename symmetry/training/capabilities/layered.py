"""``Layered``: the layers of a model, as its framework's modules declare them."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import NamedTuple

from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.capabilities.capability import Capability


class Creation(NamedTuple):
    """Where and when an object of a training was made."""

    place: SourceLine  # the user's line
    # Its number among all objects, in the order in which they are made; 0 if it is not known.
    number: int


UNKNOWN = Creation(NOWHERE, 0)


class Layered(Capability):
    """The layers of a run's model."""

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
