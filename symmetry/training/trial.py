"""Results of the trials of a run: measured facts about its model, which invariants judge."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.capability import Capability
from symmetry.units.units import Order


@dataclass(frozen=True)
class Slope:
    """How a custom function's result changes along one direction of one of its arguments."""

    argument: str  # its name in the forward
    claimed: float  # the derivative by its backward
    # The derivative by differences of its forward, over a step and over half of it.
    wide: float
    narrow: float
    size: float  # the sums of the magnitudes of the terms of ``claimed`` and of ``narrow``


# Why a backward need not be the derivative of its forward.
HANDS_INPUT_ON = "its forward returns an input as it is, and its backward does the work"
READS_ELSE = "its backward reads what its forward does not"


@dataclass(frozen=True)
class CustomFunction:
    """One ``autograd.Function`` of the user, tried on the arguments of its first call."""

    name: str  # the name of its class
    place: SourceLine  # where its backward is defined
    slopes: tuple[Slope, ...] = ()  # one for each argument that backward returns a gradient of
    # Why its backward need not be the derivative of its forward; empty if it has to be.
    why_not: str = ""
    test: str = ""  # a function of its framework that tests such a backward


@dataclass(frozen=True)
class Active:
    """Something that acts in evaluation mode as in training mode."""

    # Dropout of entries, dropout of attention weights, or the writing of running statistics.
    kind: Literal["dropout", "attention", "statistics"]
    # Why it does not follow the mode: ``"function"`` that is not given it, ``"module"`` that is not
    # one of the model's, or ``"named"``: the call itself says so.
    cause: Literal["function", "module", "named"]
    place: SourceLine  # the user's line


@dataclass(frozen=True)
class EvaluationCall:
    """The first call of a module, repeated in evaluation mode."""

    module: str  # the name of its class
    place: SourceLine  # the user's line that calls it
    active: tuple[Active, ...] = ()  # what acts all the same
    # Where it draws random numbers, but for codes, choices and losses.
    draws: tuple[SourceLine, ...] = ()
    differs: bool = False  # whether another seed gives another output
    raised: str = ""  # what it raises in evaluation mode; empty if nothing


@dataclass(frozen=True)
class Evaluation:
    """The behaviour of a step's modules in evaluation mode."""

    calls: tuple[EvaluationCall, ...] = ()  # the first outermost call of each module
    acts: bool = False  # whether dropout or running statistics are active in training
    # How many layers with dropout or running statistics a training leaves in evaluation mode, if it
    # leaves the whole model so.
    off: int = 0


@dataclass(frozen=True)
class Mixer:
    """The first operation that makes the outputs of a sample depend on another one."""

    # ``"layout"``: a module treats another axis as the samples. ``"softmax"``: it runs over the
    # samples. ``"view"``: entries of different samples end up in one row. ``"product"``: a product
    # with a parameter sums over the samples. ``"other"``: anything else.
    kind: Literal["layout", "softmax", "view", "product", "other"]
    operation: str  # the module or the operation
    shape: tuple[int, ...]  # the shape of the module's input, or of the operation's result
    # The axis that a module treats as the samples, or that a softmax or a product runs over; and
    # the axis in which the samples lie.
    axis: int
    samples: int
    # Whether it takes samples by their places: a product with a constant, or a selection.
    by_position: bool
    place: SourceLine  # the user's line
    is_last: bool = False  # whether its results are the outputs, perhaps in another shape


@dataclass(frozen=True)
class SampleCall:
    """The first call of a module in evaluation mode, with one sample replaced by another one."""

    module: str  # the name of its class
    place: SourceLine  # the user's line that calls it
    alone: bool = False  # whether the outputs of this sample alone changed
    mixer: Mixer | None = None  # if others changed: what mixed them first
    why_not: str = ""  # why nothing can be said; empty if something can
    # The mode that it is called in, as a sentence about it begins.
    mode: str = "in evaluation mode "


class ModuleInputs(Protocol):
    """The inputs of the modules of a step, up to its first loss."""

    calls: Sequence[Any]  # the first outermost call of each module
    loss: float  # the sum of the first loss
    place: SourceLine  # the user's line of the first call

    def reaches(self, count: int) -> bool:
        """Return whether as many rows are given as a batch has samples."""
        ...

    def follows(self, other: ModuleInputs, order: Order) -> bool:
        """Return whether it is what another run gives, with its rows in this order."""
        ...

    def rows(self, other: ModuleInputs, count: int) -> frozenset[int]:
        """Return the samples whose rows differ between two runs."""
        ...

    def mixer(self, other: ModuleInputs, count: int, sample: int) -> Mixer | None:
        """Return what first takes samples together before the first call, if it was looked for.

        The batches of the two runs differ in one sample.
        """
        ...


class Slopes(Protocol):
    """The gradients of a first loss with respect to what modules return."""

    def rows(self, other: Slopes, count: int) -> frozenset[int]:
        """Return the samples whose gradients differ between two runs."""
        ...


class Functions(Capability):
    """Tries the custom functions of one run, which is thrown away afterwards."""

    absent = "it calls no function with a derivative of its own"

    @abstractmethod
    def custom_functions(self) -> Sequence[CustomFunction]:
        """Take the next step; return the custom functions that it calls, each tried once more."""


class Sampling(Capability):
    """Tries the model of one run on single samples; the run is thrown away afterwards."""

    absent = "its batch is not known, or has no axis of at least two samples"

    @abstractmethod
    def module_inputs(self) -> Any:
        """Take the next step up to its first loss; return what its modules are given."""

    @abstractmethod
    def with_samples(self, changed: Mapping[int, Any], count: int) -> Sequence[SampleCall]:
        """Take the next step up to its first loss; repeat its calls with one sample replaced.

        Parameters
        ----------
        changed
            By the number of a sample, what a run gives whose batch has another one there.
        count
            How many samples a batch has.
        """


class Trial(Sampling):
    """Tries the model of one run, which is thrown away afterwards."""

    absent = "no module of its model is called before the first loss"

    @abstractmethod
    def in_evaluation(self) -> Evaluation:
        """Take the next step up to its first loss; repeat its calls in evaluation mode."""

    @abstractmethod
    def module_inputs(self, *, operations: bool = False) -> ModuleInputs:
        """Take the next step up to its first loss; return what its modules are given.

        On request it keeps the operations before the first call.
        """

    @abstractmethod
    def is_divided(self, count: int) -> bool:
        """Take two steps; return whether they learn from some samples, and evaluate the others.

        Batches have ``count`` samples. The others are given to modules without gradients.
        """

    @abstractmethod
    def slopes(self, inputs: ModuleInputs) -> Slopes:
        """Take the next step up to its first loss, with what another run gives its modules.

        Returns the gradients of the loss with respect to what they return.
        """
