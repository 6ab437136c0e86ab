"""Which tokens of a batch fill rows up to one length, if that is certain."""

from __future__ import annotations

import numpy as np

from symmetry.units.state import Array

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
