"""How many places later in a text the labels of a loss lie."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from symmetry.training.losses import LossCall, Tokens
from symmetry.units.state import Array

_CUT = 3  # tokens that labels may be shorter by, and the largest shift that is looked for
_FEWEST = 4  # labels that count

_CLASS_LOSSES = ("cross_entropy", "nll_loss")


@dataclass(frozen=True)
class Shift:
    """Labels that are the tokens of a call, some places later."""

    loss: LossCall  # the call of the loss
    tokens: Tokens  # the input of the module
    places: int  # how many places later: 1 for the next token
    # Whether the tokens are (tokens, batch), and the rows of the loss in this order, too.
    transposed: bool
    counts: Array  # which labels count, (batch, labels)
    # Which of them are the last of a row, where the tokens hold padding in place of the next one.
    ends: Array

    @property
    def text(self) -> Array:
        """The tokens, (batch, tokens)."""
        return self.tokens.array.T if self.transposed else self.tokens.array

    @property
    def words(self) -> Array:
        """Whether a token is the label of another place, (batch, tokens).

        Other tokens may stand for images: a model may count them.
        """
        words = np.zeros(self.text.shape, bool)
        later = words[:, self.places :]
        common = min(later.shape[1], self.counts.shape[1])
        later[:, :common] = (self.counts & ~self.ends)[:, :common]
        return words

    def given(self, text: Array) -> Tokens:
        """Return another text as the call is given it."""
        array = np.ascontiguousarray(text.T if self.transposed else text)
        return replace(self.tokens, array=array)

    def rows(self, scores: Array) -> Array | None:
        """Return the input of the loss as (batch, labels, classes); None if its rows differ."""
        batch, labels = self.counts.shape
        if len(scores) != batch * labels:
            return None
        if self.transposed:
            return scores.reshape(labels, batch, -1).swapaxes(0, 1)
        return scores.reshape(batch, labels, -1)


def shifts(losses: Sequence[LossCall], tokens: Sequence[Tokens]) -> list[Shift]:
    """Return how the labels of the first step's losses lie in the tokens, where they do."""
    found = []
    for loss in losses:
        target = loss.arguments.get("target")
        scores = loss.arguments.get("input")
        if loss.function not in _CLASS_LOSSES or loss.step or scores is None or target is None:
            continue
        if scores.trained and target.labels is not None:
            each = (_shift(loss, target.labels.ravel(), given) for given in tokens)
            found += [shift for shift in each if shift is not None]
    return found


def _shift(loss: LossCall, labels: Array, tokens: Tokens) -> Shift | None:
    for transposed in (False, True):
        text = tokens.array.T if transposed else tokens.array
        batch = len(text)
        if labels.size % batch or text.shape[1] < _CUT:
            continue
        mine = labels.reshape(-1, batch).T if transposed else labels.reshape(batch, -1)
        counts = (mine != loss.options.get("ignore_index", -100)) & (mine >= 0)
        ends = [_ends(text, counts, k) for k in range(_CUT + 1)]
        places = [k for k, end in enumerate(ends) if _lies(text, mine, counts & ~end, k)]
        if len(places) == 1:
            return Shift(loss, tokens, places[0], transposed, counts, ends[places[0]])
    return None


def _ends(text: Array, counts: Array, places: int) -> Array:
    """Return the last label of each row that counts, if the tokens behind it are padding.

    Inputs and labels are padded apart, as ``text[:-1]`` and ``text[1:]``: only labels have the
    end of a shorter text. Padding is one number, up to the ends of several rows.
    """
    ends = np.zeros(counts.shape, bool)
    fills = dict[int, int]()
    for row, counting in enumerate(counts):
        last = int(np.flatnonzero(counting)[-1]) if counting.any() else 0
        behind = text[row, last + places :]
        if places and len(behind) and (behind == behind[0]).all():
            fills[row] = int(behind[0])
            ends[row, last] = True
    if len(fills) < 2 or len({*fills.values()}) > 1:
        ends[:] = False
    return ends


def _lies(text: Array, labels: Array, counts: Array, places: int) -> bool:
    """Return whether labels are the tokens ``places`` places later, wherever they count."""
    length, number = text.shape[1], labels.shape[1]
    common = min(number, length - places)
    if common < 2 or not length - _CUT <= number <= length:
        return False
    counting = counts[:, :common]
    equal = labels[:, :common] == text[:, places : places + common]
    return int(counting.sum()) >= _FEWEST and bool(np.all(equal[counting]))
