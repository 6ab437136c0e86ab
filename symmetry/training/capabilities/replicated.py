"""``Replicated`` and ``Copied``: copies of parameters on several ranks, or in one process."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.capability import Capability
from symmetry.units.state import Array


class Replicated(Capability):
    """A run on several ranks, each of which holds copies of the parameters."""

    absent = "its runs do not support ranks"

    @abstractmethod
    def digests(self) -> dict[str, str]:
        """Return a digest of each parameter that is a copy."""

    @staticmethod
    @abstractmethod
    def gathered(mine: Any) -> list[Any]:
        """Return the digests of all ranks, or whatever else each of them has.

        It needs no run: it may be kept when the run is gone.
        """


class Copied(Capability):
    """A run in one process that holds copies of its parameters: on devices, or along an axis."""

    absent = "its runs do not show on which devices its arrays lie"

    averaging: ClassVar[str]  # the function that averages over devices

    @abstractmethod
    def on_devices(self) -> Mapping[str, Sequence[Array]]:
        """Return each array that several devices hold as a whole, as each of them has it."""

    @abstractmethod
    def along_axis(self) -> Mapping[str, Array]:
        """Return all parameters if their first axis may hold copies: it is equally long in all."""

    @property
    @abstractmethod
    def gradient_place(self) -> SourceLine:
        """The user's line that computes gradients, or maps what does so over devices."""
