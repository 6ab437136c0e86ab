"""``Rows``: the model's calls on rows of tokens, tried with pieces of these rows."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

from symmetry.observe.source_line import SourceLine
from symmetry.training.capabilities.capability import Capability


@dataclass(frozen=True)
class PackedCall:
    """A call of a module on rows of several documents."""

    module: str  # the name of its class
    at: SourceLine  # the user's line that calls it
    known_by: str  # the argument that says where documents begin
    # The largest influence of a token of another document, by the largest of a document's own.
    leak: float = 0.0
    first: str = ""  # the first module whose outputs depend on another document
    first_at: SourceLine | None = None  # the user's line that calls that
    # How many documents that do not end a row there are, and how many of these are trained within.
    documents: int = 0
    trained: int = 0
    # How many last tokens of documents are trained, and how many to predict the next document.
    boundaries: int = 0
    crossing: int = 0
    why_not: str = ""  # why nothing can be said; empty if something can


@dataclass(frozen=True)
class PaddedCall:
    """A call of a module on rows with padding, repeated for a row without it."""

    module: str  # the name of its class
    at: SourceLine  # the user's line that calls it
    known_by: str  # the argument that says what is padding
    side: str  # "left" or "right"
    distance: float = 0.0  # of the row's outputs, by the largest of them
    reads_edges: bool = False  # whether a recurrent layer or a convolution reads the row
    # Whether outputs of padding are trained, but only those that predict the first token of a text.
    predicts_first: bool = False
    why_not: str = ""  # why nothing can be said; empty if something can


class Rows(Capability):
    """Tries the model of one run on rows of tokens; the run is thrown away afterwards."""

    absent = "no module of its model is called with rows of tokens"

    @abstractmethod
    def packed(self) -> Sequence[PackedCall]:
        """Take the next step up to its first loss; try its calls on rows of several documents."""

    @abstractmethod
    def padded(self) -> Sequence[PaddedCall]:
        """Take the next step up to its first loss; try its calls on rows without their padding."""
