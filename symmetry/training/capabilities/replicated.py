"""``Replicated``: copies of parameters on several ranks."""

from abc import ABC, abstractmethod
from typing import Any


class Replicated(ABC):
    """A run on several ranks, each of which holds copies of the parameters."""

    @abstractmethod
    def digests(self) -> dict[str, str]:
        """Return a digest of each parameter that is a copy."""

    @staticmethod
    @abstractmethod
    def gathered(mine: Any) -> list[Any]:
        """Return the digests of all ranks, or whatever else each of them has.

        It needs no run: it may be kept when the run is gone.
        """
