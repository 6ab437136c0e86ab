"""``Configuring``: settings of a framework that must not matter to a training."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.capability import Capability

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

    def in_place(self) -> Sequence[SourceLine]:
        """Return the lines at which the modules were made that work in place."""
        return ()
