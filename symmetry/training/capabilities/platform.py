"""``Platform``: where and how the steps of a run are executed."""

from abc import abstractmethod

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

    @property
    @abstractmethod
    def asks_to_compile(self) -> bool:
        """Whether a module of the model was to be compiled in place, be it done or not."""
