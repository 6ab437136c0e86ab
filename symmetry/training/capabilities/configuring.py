"""``Configuring``: settings of a framework that must not matter to a training."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import AbstractContextManager


class Configuring(ABC):
    """Changes settings of the framework while a run takes steps."""

    @abstractmethod
    def with_setting(self, setting: str) -> AbstractContextManager[Callable[[], bool]]:
        """Change a setting while the block runs.

        The function that the block is given returns, afterwards, whether there was anything to
        change.
        """
