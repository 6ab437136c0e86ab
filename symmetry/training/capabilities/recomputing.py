"""``Recomputing``: what a backward computes again, as checkpointing does to save memory."""

from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.capability import Capability


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
