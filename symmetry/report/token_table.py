"""The tokens of a batch in lines: each with its label, its mask and its weight in the loss."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symmetry.training.token_batch import TokenBatch
from symmetry.units.words import count

_ROWS = 2  # of a batch that are shown
_HEADING = f"  {'place':>5} {'token':>8} {'label':>8} {'mask':>8}  weight"
_PLACES = 32  # of a row that are shown


def token_lines(batches: Sequence[TokenBatch]) -> Iterator[str]:
    """Yield the first rows of each batch, and how many of its tokens count."""
    if not batches:
        yield "no loss of the first step has labels for the tokens of a model call"
    for number, batch in enumerate(batches):
        if number:
            yield ""
        yield from _lines(batch)


def _lines(batch: TokenBatch) -> Iterator[str]:
    rows, length = batch.tokens.shape
    where = f"{batch.at}: " if batch.at.file else ""
    yield f"{where}{batch.function}, {count(rows, 'row')} of {count(length, 'token')}"
    counted = int(batch.counts.sum())
    yield f"  {counted:,} of {count(batch.labels.size, 'label')} count; {_meaning(batch)}"
    if batch.padding is not None:
        at_padding = batch.counts & batch.padding[:, : batch.counts.shape[1]]
        padding = count(int(batch.padding.sum()), "token")
        yield f"  {padding} of padding, {int(at_padding.sum())} of them with a label that counts"
    if batch.weight == 1.0:
        yield "  each label that counts has the weight 1 in this sum, which the script may divide"
    elif batch.weight is not None:
        yield f"  each label that counts has the weight {batch.weight:.4g} in this loss"
    else:
        yield "  the weights are not the same for all labels, or the script multiplies them itself"
    for row in range(min(rows, _ROWS)):
        yield from ("", f"  row {row}", _HEADING)
        yield from (_line(batch, row, place) for place in range(min(length, _PLACES)))
        if length > _PLACES:
            yield f"  ... {length - _PLACES} more"


def _meaning(batch: TokenBatch) -> str:
    """Say how the labels lie in the tokens."""
    if batch.places is None:
        return "the labels are other numbers than the tokens"
    if not batch.places:
        return "each label is the token at its own place"
    return f"each label is the token {count(batch.places, 'place')} later"


def _line(batch: TokenBatch, row: int, place: int) -> str:
    has_label = place < batch.labels.shape[1] and bool(batch.counts[row, place])
    label = str(int(batch.labels[row, place])) if has_label else "-"
    hidden = batch.padding is not None and bool(batch.padding[row, place])
    weight = "" if batch.weight is None else f"{batch.weight if has_label else 0:.4g}"
    token = int(batch.tokens[row, place])
    return f"  {place:>5} {token:>8} {label:>8} {'padding' if hidden else '':>8}  {weight}".rstrip()
