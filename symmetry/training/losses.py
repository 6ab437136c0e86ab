"""Facts about the losses and module calls of a run, and arguments that can be replaced.

A framework reads the facts off its tensors; the invariants about losses judge them without it.
"""

from __future__ import annotations

import re
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.capability import Capability
from symmetry.units.state import Array

_SUM = 1e-5  # how far probabilities may be from one in all
_LOG_SUM = 1e-3  # how far the logarithm of that sum may be from zero


@dataclass(frozen=True)
class Argument:
    """Facts about a tensor that a loss function is given."""

    shape: tuple[int, ...]  # its lengths
    trained: bool  # whether it requires a gradient: it depends on what is trained
    floating: bool  # whether it has floating-point numbers
    # Its smallest and largest entry; 0 if it has none.
    least: float
    most: float
    whole: bool  # whether all entries are whole numbers
    # The axes of at least two entries along which all are at least zero and sum to one.
    probabilities: frozenset[int] = frozenset()
    log_probabilities: frozenset[int] = frozenset()  # those along which the exponentials sum to one
    # The operations that made it, the last one first, in the words of ``torch/graph.py``. If there
    # are several operands, the first is followed.
    makers: tuple[str, ...] = ()
    labels: Array | None = None  # the entries, if they are integers or booleans; else None

    @classmethod
    def of(cls, array: Array, *, trained: bool = False, makers: Sequence[str] = ()) -> Self:
        """Return the facts about an array."""
        floating = array.dtype.kind == "f"
        least, most = (float(array.min()), float(array.max())) if array.size else (0.0, 0.0)
        wide = [axis for axis, length in enumerate(array.shape) if length > 1 and floating]
        sums = [axis for axis in wide if least >= 0]
        # Logarithms of probabilities that exceed zero do so by rounding alone.
        logs = [axis for axis in wide if most <= _LOG_SUM]
        return cls(
            shape=array.shape,
            trained=trained,
            floating=floating,
            least=least,
            most=most,
            whole=not floating or bool((array == np.round(array)).all()),
            probabilities=frozenset(a for a in sums if _one(array.sum(a), _SUM)),
            log_probabilities=frozenset(a for a in logs if _one(np.exp(array).sum(a), _LOG_SUM)),
            makers=tuple(makers),
            labels=None if floating else array.copy(),
        )


def _one(sums: Array, tolerance: float) -> bool:
    return bool((abs(sums - 1) < tolerance).all())


@dataclass(frozen=True)
class LossCall:
    """One call of a loss function."""

    number: int  # the calls of a run are counted from 0
    step: int  # the step that it belongs to
    function: str  # its name: ``cross_entropy``
    arguments: Mapping[str, Argument]  # its tensors by name
    # Its other arguments, by name: ``ignore_index``, ``reduction``.
    options: Mapping[str, Any]
    place: SourceLine  # the user's line
    # The names of functions in its framework, by their names in texts.
    words: Mapping[str, str] = field(default_factory=dict)
    # The tensor that adds numbers to a multiple of another result of the weights of the other one,
    # as rewards to the values of the next states, with a gradient; empty without one.
    bootstrapped: str = ""
    ignores: bool = True  # whether its framework lets a loss ignore a label

    def worded(self, text: str) -> str:
        """Return a text that names functions, in the words of its own framework."""
        return re.sub(r"\w+", lambda word: self.words.get(word[0], word[0]), text)


@dataclass(frozen=True)
class Pair:
    """An operation on (n, 1) and (n,) that makes (n, n): each entry meets all others."""

    number: int  # those of a run are counted from 0
    operation: str  # its name: ``mse_loss``, ``sub``
    count: int  # n
    # Whether the (n, 1) depends on what is trained; then the (n,) is data, else it is the other.
    column_trained: bool
    makers: tuple[str, ...]  # what made the one that is trained; see ``Argument``
    # Whether the data is a (n, 1) that a step has made of an (n,): it means to pair all.
    spread: bool
    varies: bool  # whether the entries of the data differ
    place: SourceLine  # the user's line


@dataclass(frozen=True)
class Tokens:
    """Whole numbers of shape (batch, tokens) that an outermost module call is given."""

    call: int  # the number of the call
    argument: int  # which of the tensors in its arguments it is
    array: Array


@dataclass(frozen=True)
class Padded:
    """Tokens of shape (batch, tokens) that an embedding looks up, some of them padding."""

    call: int  # the number of the call of an embedding
    array: Array
    padding: Array  # which of them are padding
    # ``"mask"``: an attention mask hides it. ``"step"``: the model masks it by something else.
    # ``"lengths"``: the lengths of the texts leave it out. ``"filled"``: the rows were filled up
    # with it, by pad_sequence, or in a batch that has a mask. ``"number"``: it is the padding_idx
    # of the embedding. ``"ends"``: its number fills the ends of rows, and occurs nowhere else.
    known_by: str


@dataclass
class Observed:
    """Facts about the losses of a run's steps."""

    # In the order in which they came; tokens, padding and masks of the first step alone.
    losses: list[LossCall] = field(default_factory=list)
    pairs: list[Pair] = field(default_factory=list)
    tokens: list[Tokens] = field(default_factory=list)
    rows: bool = False  # whether an outermost module call is given rows of tokens, or of vectors
    padded: list[Padded] = field(default_factory=list)
    hidden: list[tuple[Array, SourceLine]] = field(default_factory=list)  # keys, (batch, keys)
    # Shape and line of each sum over all entries of something trained.
    sums: list[tuple[tuple[int, ...], SourceLine]] = field(default_factory=list)
    norms: list[tuple[tuple[int, ...], SourceLine]] = field(default_factory=list)
    divisors: set[float] = field(
        default_factory=set
    )  # numbers that something trained is divided by


@dataclass(frozen=True)
class Moved:
    """A module whose output depends on what its inputs do not depend on."""

    module: str  # its path in the model; empty for the model itself
    kind: str  # the name of its class
    place: SourceLine  # the user's line that calls it


class LossProbe(Capability):
    """Sees the steps of one run, and puts other numbers in the place of some.

    Steps are taken while one of these blocks runs. A run in which something was put in place is
    thrown away afterwards.
    """

    absent = "its runs show no losses"

    @abstractmethod
    def observed(self) -> AbstractContextManager[Observed]:
        """Collect facts about losses, pairs and tokens."""

    @abstractmethod
    def rolled(self, pair: Pair) -> AbstractContextManager[None]:
        """Move each entry of the data of a pair to the next sample, in this operation alone."""

    def all_rolled(self) -> AbstractContextManager[None] | None:
        """Move the data of all pairs to the next sample, if the framework can do so."""
        return None

    def slopes(self, pair: Pair, *, rolled: bool) -> AbstractContextManager[list[Array]]:  # noqa: ARG002
        """Collect the gradient of the trained side of a pair, its data ``rolled`` or not."""
        return nullcontext([])  # where it is not known

    @abstractmethod
    def outputs(self, tokens: Tokens) -> AbstractContextManager[dict[int, Array]]:
        """Give a call these tokens; collect what losses of classes are given, by their number.

        The rows are samples and positions, as they come; the columns are classes. Batch
        normalisation takes its running statistics: else all tokens of a batch depend on each other.
        """

    @abstractmethod
    def padded(self, given: Padded, tokens: Array) -> AbstractContextManager[dict[int, Array]]:
        """Let an embedding look up other tokens; collect what ``outputs`` collects."""

    @abstractmethod
    def counted(self, loss: LossCall) -> AbstractContextManager[list[Array]]:
        """Collect which rows of the input of a loss of classes get a gradient from it."""

    @abstractmethod
    def positions(self, tokens: Tokens) -> AbstractContextManager[list[tuple[Moved, Any, Any]]]:
        """Give a call these tokens; collect each module call with its inputs and its output.

        They come innermost first. Each is a mapping from a number to an array of shape (batch,
        tokens): one number for each position, which moves if anything there does.
        """


class LeakSearch(Capability):
    """Looks for what lets outputs see later tokens among all operations, not modules alone."""

    @abstractmethod
    def leak(
        self, loss: LossCall, texts: tuple[Tokens, Tokens], cut: int, axis: int
    ) -> Moved | None:
        """Return the operation that first mixes later tokens into the input of a loss.

        The two texts differ from a place on, which is counted along an axis of theirs.
        """
