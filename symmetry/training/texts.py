"""Tokens that a mask hides in a batch of texts, and other tokens to put in their places.

Example: 1 in the mask stands for a token that is seen.

    tokens    5 9 2 7     mask    1 1 1 1     others    5 9 2 7
              8 4 6 0             1 1 1 0               8 4 6 9
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from symmetry.units.state import Array

IGNORED = -100  # the label that PyTorch's losses leave out
_LEFT = "tokens are hidden on the left, where a first position is pooled and a state begins"
BY_FIRST_LABELS = "the label of a first visible token stands next to a hidden one"


@dataclass(frozen=True)
class MaskedTexts:
    """Texts of which a mask hides some tokens."""

    tokens: Array  # (batch, tokens), or (batch, tokens, width) of embeddings
    visible: Array  # which of them are seen, (batch, tokens)
    labels: Array | None = None  # one for each token; None if there are none

    def why_none_hidden(self) -> str:
        """Say why it is not known that its mask hides tokens; nothing if it is known."""
        if self.labels is not None and (self.labels[~self.visible] != IGNORED).any():
            return f"its labels at hidden tokens are not {IGNORED}"
        return "" if not self.visible.all() else "the attention_mask of its batch hides nothing"

    def replaced(self) -> Mapping[tuple[int, int], tuple[int, int]]:
        """Return the place whose token is put in each hidden place: words if it can be."""
        words = next((places for places in self._words() if places.any()), self.visible)
        others, found = [*_places(words)], {}
        for k, place in enumerate(_places(~self.visible)):
            if others:  # the first that is not what is hidden there
                unlike = (others[p % len(others)] for p in range(k, k + len(others)))
                here = self.tokens[place]
                found[place] = next(
                    (o for o in unlike if (self.tokens[o] != here).any()), others[k % len(others)]
                )
        return found

    def clues(self) -> dict[str, bool]:
        """Return how a model may recognise hidden tokens without the mask.

        A sound model may do so by some of the clues.
        """
        found = {}
        if self.labels is not None:
            first = self.visible[:, 1:] & ~self.visible[:, :-1] & (self.labels[:, 1:] != IGNORED)
            if first.any():
                found[BY_FIRST_LABELS] = True
        if not self.visible[:, 0].all():
            found[_LEFT] = False
        return found

    def _words(self) -> Iterator[Array]:
        """Yield the places of visible tokens that are words rather than marks, the surest first.

        The first and the last token of a row may be marks that a model looks for. Tokens that no
        label is for, or that every row has, may stand for images: a model may count them.
        """
        inner = self.visible.copy()
        for row, visible in zip(inner, self.visible, strict=True):
            places = visible.nonzero()[0]
            if len(places) > 2:
                row[places[[0, -1]]] = False
        labelled = inner if self.labels is None else inner & (self.labels != IGNORED)
        for places in (labelled, inner):
            if self.tokens.ndim == self.visible.ndim:
                rows = zip(self.tokens, self.visible, strict=True)
                everywhere = [np.isin(self.tokens, row[visible]) for row, visible in rows]
                yield places & ~np.all(everywhere, axis=0)
            yield places


def _places(chosen: Array) -> Iterator[tuple[int, int]]:
    yield from ((row, column) for row, column in np.argwhere(chosen).tolist())


_FEWEST = 3  # padding tokens in a batch, and two rows: fewer may be tokens like others


def padding_by_number(tokens: Array, number: int) -> Array | None:
    """Return which tokens are padding, if a number only fills the ends of rows.

    The first one at an end is left out: it may be a mark that the text ends. It may also begin each
    row, as a decoder's first token. None if it is not certain.
    """
    same = tokens == number
    ends = np.logical_and.accumulate(same[:, ::-1], axis=1)[:, ::-1]
    elsewhere = (same & ~ends)[:, 1:]
    padding = ends.copy()
    padding[:, 1:] &= ends[:, :-1]
    padding[:, 0] = False
    if elsewhere.any() or np.unique(ends.sum(1)).size < 2:
        return None
    return padding if _is_enough(padding) else None


def padding_by_mask(tokens: Array, mask: Array) -> Array | None:
    """Return which tokens a mask of ones and zeros hides at the ends of rows, if all are the same.

    None if it is not certain that these are padding.
    """
    if mask.shape != tokens.shape or not np.isin(mask, (0, 1)).all():
        return None
    hidden = mask == 0
    right = np.logical_and.accumulate(hidden[:, ::-1], axis=1)[:, ::-1]
    left = np.logical_and.accumulate(hidden, axis=1)
    alike = np.unique(tokens[hidden]).size == 1
    certain = alike and not (hidden & ~right & ~left).any() and not hidden.all(1).any()
    return hidden if certain and _is_enough(hidden) else None


def _is_enough(padding: Array) -> bool:
    return int(padding.sum()) >= _FEWEST and int(padding.any(1).sum()) > 1
