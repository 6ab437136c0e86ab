"""Where and how steps are executed: settings that must not matter, ranks, copies on devices."""

from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
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


class Platform(Capability):
    """Where and how the steps of a run are executed."""

    @property
    @abstractmethod
    def reorders(self) -> str:
        """How to make its sums repeatable, if the machine may add in another order each time."""

    @property
    @abstractmethod
    def compiles(self) -> bool:
        """Whether its steps are compiled by something that runs nothing through modes."""

    compiler: ClassVar[str]  # its name

    @property
    @abstractmethod
    def asks_to_compile(self) -> bool:
        """Whether a module of the model was to be compiled in place, be it done or not."""


ALL = slice(None)


class Configuring(Capability):
    """Changes settings of the framework while a run takes steps."""

    absent = "its runs cannot be taken with other settings"

    settings: ClassVar[frozenset[str]]  # those that its framework has
    rare: ClassVar[frozenset[str]]  # those of them that many trainings lack

    @abstractmethod
    def with_setting(
        self, setting: str, part: slice = ALL
    ) -> AbstractContextManager[Callable[[], bool]]:
        """Change a setting while the block runs.

        The function that the block is given returns, afterwards, whether there was anything to
        change. Only a ``part`` of the modules that work in place may be changed.
        """

    def reason(self, setting: str) -> str:  # noqa: ARG002
        """Say why a setting may matter to these runs; nothing where it is not known."""
        return ""

    def in_place(self) -> Sequence[SourceLine]:
        """Return the lines at which the modules were made that work in place."""
        return ()
