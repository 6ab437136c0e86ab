"""``Drawing``: the random numbers of a run, made comparable with another training's."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from symmetry.base.randomness.unseeded import Unseeded
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

    @property
    def fixed(self) -> tuple[str, ...]:
        """The lines that draw the same numbers for the model in each step, as far as is known."""
        return ()

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
