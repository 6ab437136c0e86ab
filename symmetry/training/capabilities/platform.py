"""Where and how steps are executed, and settings of a framework that must not matter."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.capability import Capability


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
