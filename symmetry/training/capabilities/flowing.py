"""The way from parameters to losses: as plain facts, and with a supposed mistake undone."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.capability import Capability


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


class Cut(NamedTuple):
    """An operation behind which no gradient flows."""

    operation: str  # as the user has written it: ``detach()``
    place: SourceLine  # the user's line
    cure: str = ""  # what to do about it, if that is special
    # Whether it hands on numbers, and is no way to say that the gradient has to end there.
    numbers: bool = False


class LossTarget(NamedTuple):
    """The target of an elementwise loss that a backward goes through."""

    function: str  # the loss function: ``mse_loss``
    place: SourceLine  # the user's line


FLAT = "its derivative is zero everywhere"  # why the gradient is cut off, though there is one


@dataclass(frozen=True)
class Flow:
    """The way from the parameters that are followed to the losses of some steps."""

    # For losses that depend on the parameters and have no gradient with respect to them: the
    # operations that cut it off.
    cuts: tuple[Cut, ...] = ()
    terms: tuple[Cut, ...] = ()  # for losses that have one: the operations that cut off terms of it
    # Targets that depend on the same parameters as the outputs they are compared with.
    targets: tuple[LossTarget, ...] = ()


class Followed(Protocol):
    """The flow of the steps that are taken while parameters are followed."""

    @property
    def flow(self) -> Flow:
        """The flow in the steps so far."""
        ...


class PermutingView(NamedTuple):
    """A view that names the axes of a tensor in another order."""

    before: tuple[int, ...]  # the shape
    after: tuple[int, ...]
    place: SourceLine  # the user's line


class Flowing(Capability):
    """Sees how losses depend on parameters, in the steps that are taken while a block runs."""

    @abstractmethod
    def followed(self, names: frozenset[str]) -> AbstractContextManager[Followed]:
        """Follow the parameters of these names."""

    @abstractmethod
    def permuting_views(self) -> AbstractContextManager[list[PermutingView]]:
        """Collect the views that name axes in another order."""

    @abstractmethod
    def first_not_finite(self) -> AbstractContextManager[list[str]]:
        """Collect the operation whose derivative makes the first number that is not finite."""

    @property
    @abstractmethod
    def repeated_modules(self) -> tuple[str, ...]:
        """Paths of modules with parameters that one container holds several times."""

    @abstractmethod
    def networks(self) -> tuple[str, ...]:
        """Return the paths of several networks of their own; nothing if the model is one."""
