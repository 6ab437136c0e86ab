"""``Undoing``: steps with a supposed mistake undone, for the proofs of notes."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass

from symmetry.training.capabilities.capability import Capability
from symmetry.training.capabilities.flowing import Cut


@dataclass
class CutTensors:
    """The tensors that an operation cuts off, in the steps of a block."""

    times: int = 0  # how often it has cut one off
    is_used: bool = False  # whether a loss depends on one of them in another way, with a gradient


class Undoing(Capability):
    """Undoes parts of the steps that are taken while a block runs."""

    @abstractmethod
    def cutting(self, cut: Cut) -> AbstractContextManager[CutTensors]:
        """See what an operation cuts off."""

    @abstractmethod
    def without(self, cut: Cut) -> AbstractContextManager[CutTensors]:
        """Let an operation hand on the tensors that it cuts off."""

    @abstractmethod
    def is_on_the_way(self, network: str) -> bool:
        """Return whether other parameters get gradients through a network in training mode."""

    @abstractmethod
    def is_initial(self, network: str) -> bool:
        """Return whether the weights of a network are as its layers initialise them."""
