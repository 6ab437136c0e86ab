"""The state that runs carry: saved for another run to continue, and handed on between steps."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.capability import Capability


@dataclass(frozen=True)
class SavedRun:
    """A run as it was saved."""

    taken: int  # how many steps it had taken
    content: Any  # whatever its framework needs to continue


class Saving(Capability):
    """Saves a run, and lets a fresh one continue from there."""

    absent = "its runs cannot be saved"
    lacks: str  # what is wrong if a run does not continue, in words of the framework
    cure: str  # what to do about it where it is no script

    @abstractmethod
    def save(self) -> SavedRun:
        """Return what a training saves: copies of all state dictionaries, and random states."""

    def hands_on(self, saved: SavedRun) -> bool:  # noqa: ARG002
        """Return whether what models have computed is on its way into the next step.

        It is asked of a run that has taken as many steps as the saved one, from another start, and
        loads it next: then a hidden state is not the same.
        """
        return False

    @abstractmethod
    def restore(self, saved: SavedRun, *, gradients: bool = False) -> None:
        """Continue where another run of the same training was saved; with its gradients on request.

        Raises
        ------
        TrainingError
            If the objects do not take their state dictionaries back.
        """


class Dropped(NamedTuple):
    """A running average that a step computes anew, while each step is given the old one."""

    name: str  # of the array that stays, in words
    place: SourceLine  # the user's line that computes the new value
    of_gradients: bool  # whether it averages what comes from a gradient


class HandingOn(Capability):
    """Shows what steps compute for later ones, and do not hand on."""

    absent = "its objects keep results of a step for the next one"

    @abstractmethod
    def dropped(self) -> Sequence[Dropped]:
        """Return the running averages that the next step computes, and no further one is given."""
