"""The weights of loss terms in an update, as a table."""

from __future__ import annotations

from collections.abc import Iterator

from symmetry.invariants.loss.pieces import LossSite, UpdateInPieces, updates_in_pieces
from symmetry.observe.terms import Terms
from symmetry.training.events import Epochs
from symmetry.units.words import count


def shown_update(epochs: Epochs) -> UpdateInPieces | None:
    """Return the update that is shown: the first of several micro-batches, if there is one."""
    updates = updates_in_pieces(epochs)
    several = [update for update in updates if len(update.pieces) > 1]
    return next(iter([*several, *updates]), None)


def weights_heading(update: UpdateInPieces) -> str:
    """Return a heading for the weights of an update."""
    return f"weights of loss terms in update {update.updated.update} ({update.updated.at})"


def weight_rows(update: UpdateInPieces) -> Iterator[tuple[str, ...]]:
    """Yield a row for each micro-batch of each loss, and one for all of them."""
    for site, pieces in update.sites.items():
        name = _site(site, update)
        for number, terms in pieces.items():
            together = f"together {terms.total:.4g}"
            yield name, _piece(number), _counted(terms), _each(terms), together
            name = ""
        total = f"together {sum(terms.total for terms in pieces.values()):.4g}"
        yield "", f"all {count(len(pieces), 'micro-batch', 'micro-batches')}", "", "", total


def _site(site: LossSite, update: UpdateInPieces) -> str:
    return f"{site.operation} ({site.at if site.at.file else update.asked})"


def _piece(number: int) -> str:
    return f"micro-batch {number + 1}"


def _counted(terms: Terms) -> str:
    return f"{terms.count} of {count(terms.size, 'term')}"


def _each(terms: Terms) -> str:
    if terms.are_equal or not terms.count:
        return f"each {terms.weight:.4g}"
    return f"each {terms.least:.4g} to {terms.most:.4g}"
