"""The random numbers of a run: made comparable with another training's, and drawn by keys."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from symmetry.base.randomness.unseeded import Unseeded
from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.capability import Capability


class Drawing(Capability):
    """The random numbers of a run."""

    @abstractmethod
    def reseed(self, seed: int) -> None:
        """Continue with the random numbers of a seed, however many were drawn by now."""

    @abstractmethod
    def draw_alike(self) -> None:
        """Let random operations of the model draw the same numbers as in other trainings.

        They draw by kind and shape, in the order in which they come.
        """

    def numbers(self) -> str | None:
        """Return the states of the run's generators, as text; None if it draws by keys."""
        return None

    @property
    @abstractmethod
    def unseeded(self) -> tuple[Unseeded, ...]:
        """The lines by now that make random generators without a seed."""

    @property
    @abstractmethod
    def draws(self) -> Mapping[Any, int]:
        """With ``draw_alike``: the number of random draws by (operation, shape)."""

    @property
    @abstractmethod
    def random_numbers(self) -> Mapping[str, None]:
        """The numbers that random operations of the model are given, in words."""


class KeyedDraw(NamedTuple):
    """A draw of noise for the model, by a key."""

    place: SourceLine  # the user's line
    is_fixed: bool  # whether its key is the same in each step
    drops: bool  # whether it is dropout


class Keyed(Capability):
    """The noise of a run's model, each draw of which is made by a key."""

    absent = "its noise is drawn by generators, which go on by themselves, and not by keys"

    @abstractmethod
    def noise(self) -> Sequence[KeyedDraw]:
        """Return the draws of the next step; none where they cannot be told."""

    @property
    @abstractmethod
    def has_batches(self) -> bool:
        """Whether each step is given a batch of its own."""
