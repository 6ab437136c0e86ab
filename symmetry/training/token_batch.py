"""A batch of a language model as its training sees it: tokens, labels, masks and weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from symmetry.observe.source_line import SourceLine
from symmetry.training.losses import LossCall, Observed, Tokens
from symmetry.units.state import Array

_CUT = 3  # tokens by which labels may be shorter than the row that a model is given
_IGNORED = -100


@dataclass(frozen=True)
class TokenBatch:
    """The tokens of a call, and what one loss makes of them; all arrays are (batch, tokens)."""

    at: SourceLine  # the line of the loss
    function: str  # its name
    tokens: Array
    labels: Array  # (batch, labels): the label at a place is for the output of that place
    counts: Array  # which labels the loss counts, likewise
    padding: Array | None  # which tokens are padding; None if that is not known
    weight: float | None  # of each label that counts; None if it is not the same for all
    places: int | None  # how many places later the labels lie; None if they are other numbers


def token_batches(observed: Observed) -> Iterator[TokenBatch]:
    """Yield the batches of the first step that a loss of classes is computed for."""
    for loss in observed.losses:
        target, scores = loss.arguments.get("target"), loss.arguments.get("input")
        if loss.step or target is None or scores is None or not scores.trained:
            continue
        if target.labels is None:
            continue
        fitting = (_batch(observed, loss, target.labels.ravel(), each) for each in observed.tokens)
        yield from [batch for batch in fitting if batch is not None][:1]


def _batch(observed: Observed, loss: LossCall, labels: Array, given: Tokens) -> TokenBatch | None:
    rows, length = given.array.shape
    if labels.size % rows or not length - _CUT <= labels.size // rows <= length:
        return None
    labels = labels.reshape(rows, -1)
    counts = (labels != loss.options.get("ignore_index", _IGNORED)) & (labels >= 0)
    reduction = loss.options.get("reduction", "mean")
    weights = {"mean": 1 / max(int(counts.sum()), 1), "sum": 1.0}
    same = (each for each in observed.padded if each.array.shape == given.array.shape)
    return TokenBatch(
        loss.place,
        loss.function,
        given.array,
        labels,
        counts,
        next((each.padding for each in same), None),
        weights.get(str(reduction)) if loss.options.get("weight") is None else None,
        next((k for k in range(_CUT + 1) if _lies(given.array, labels, counts, k)), None),
    )


def _lies(tokens: Array, labels: Array, counts: Array, places: int) -> bool:
    """Return whether the labels that count are the tokens behind their places."""
    later = tokens[:, places:]
    common = min(later.shape[1], labels.shape[1])
    counting = counts[:, :common]
    same = later[:, :common] == labels[:, :common]
    return bool(counting.any() and same[counting].all())
