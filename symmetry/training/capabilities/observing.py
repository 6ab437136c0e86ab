"""``Observing``: what happens inside of a step, beside the state after it."""

from abc import ABC, abstractmethod

from symmetry.training.shown import Shown


class Observing(ABC):
    """Observes what happens inside of a step."""

    @abstractmethod
    def observe(self) -> Shown:
        """Take the next step; return what it shows beside the state."""
