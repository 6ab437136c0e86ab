"""Updates in pieces: the micro-batches of an update, each with what its backward has weighed.

Example: an update of two micro-batches with 3 and 1 tokens, each a mean over its own.

    micro-batch 1    1/6 1/6 1/6
    micro-batch 2    1/2
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

from symmetry.observe.source_line import SourceLine
from symmetry.observe.terms import Terms
from symmetry.training.events import Backward, Batch, Called, Epochs, LoopEvent, Updated


@dataclass(frozen=True)
class LossSite:
    """An operation that makes terms of a loss, its line, and the line of their mean."""

    operation: str
    at: SourceLine
    mean_at: SourceLine

    @classmethod
    def of(cls, terms: Terms) -> LossSite:
        """Return the site of some terms."""
        return cls(terms.operation, terms.at, terms.mean_at)


@dataclass(frozen=True)
class Piece:
    """A micro-batch of an update: its backward, and what came since the backward before."""

    backward: Backward
    events: tuple[LoopEvent, ...]

    @property
    def loaders(self) -> frozenset[int]:
        """The loaders that gave batches."""
        return frozenset(event.loader for event in self.events if isinstance(event, Batch))

    @property
    def batches(self) -> tuple[int, ...]:
        """How many samples each batch of a loader has, as far as it is known."""
        return tuple(
            len(event.order) for event in self.events if isinstance(event, Batch) and event.order
        )

    @property
    def rows(self) -> int:
        """How many rows a model is called with; 1 if calls differ, or it is not known."""
        calls = (e for e in self.events if isinstance(e, Called) and e.gradient)
        counts = {next(map(_rows, call.shapes), 1) for call in calls}
        return counts.pop() if len(counts) == 1 else 1


@dataclass(frozen=True)
class UpdateInPieces:
    """An update, and the micro-batches whose gradients it has read."""

    updated: Updated
    pieces: tuple[Piece, ...]

    @property
    def asked(self) -> SourceLine:
        """The line that differentiates the first loss."""
        return self.pieces[0].backward.at

    @property
    def has_lines(self) -> bool:
        """Whether it is known where the terms are made."""
        return all(site.at.file for site in self.sites)

    @property
    def loaders(self) -> frozenset[int]:
        """The loaders that gave batches to it."""
        return frozenset(loader for piece in self.pieces for loader in piece.loaders)

    @property
    def samples(self) -> tuple[int, ...]:
        """How many samples each micro-batch has."""
        if all(len(piece.batches) == 1 for piece in self.pieces):
            return tuple(piece.batches[0] for piece in self.pieces)
        return tuple(piece.rows for piece in self.pieces)  # loaded ahead, or cut by the script

    @cached_property
    def sites(self) -> dict[LossSite, dict[int, Terms]]:
        """The terms of each place by the number of the piece, from 0."""
        found: dict[LossSite, dict[int, Terms]] = {}
        for number, piece in enumerate(self.pieces):
            for terms in piece.backward.terms:
                found.setdefault(LossSite.of(terms), {})[number] = terms
        return found


def updates_in_pieces(epochs: Epochs) -> list[UpdateInPieces]:
    """Return the updates of a run whose terms are known, and that use no gradient twice."""
    pieces: dict[int, Piece] = {}
    since: list[LoopEvent] = []
    found = []
    for event in epochs.events:
        if isinstance(event, Backward):
            pieces[event.number] = Piece(event, tuple(since))
            since = []
        elif isinstance(event, Updated):
            mine = tuple(pieces[n] for n in event.backwards if n in pieces)
            if mine and not event.again and all(piece.backward.terms for piece in mine):
                found.append(UpdateInPieces(event, mine))
        else:
            since.append(event)
    return _with_lines(found)


def _with_lines(updates: list[UpdateInPieces]) -> list[UpdateInPieces]:
    """Let updates whose lines were not recorded have those of others: where that is certain."""
    lines: dict[str, dict[LossSite, Terms]] = {}
    for terms in (t for update in updates for p in update.pieces for t in p.backward.terms):
        if terms.at.file:
            lines.setdefault(terms.operation, {}).setdefault(LossSite.of(terms), terms)
    known = {name: next(iter(same.values())) for name, same in lines.items() if len(same) == 1}

    def with_line(terms: Terms) -> Terms:
        if terms.at.file or terms.operation not in known:
            return terms
        return replace(known[terms.operation], weights=terms.weights)

    def with_lines(piece: Piece) -> Piece:
        terms = tuple(map(with_line, piece.backward.terms))
        return replace(piece, backward=replace(piece.backward, terms=terms))

    return [replace(u, pieces=tuple(map(with_lines, u.pieces))) for u in updates]


def _rows(shape: str) -> int:
    first = shape.partition(" ")[0]
    return int(first) if first.isdigit() else 1
