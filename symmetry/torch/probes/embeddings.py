"""Calls of embeddings in a step: the tokens that are looked up, and which of them are padding."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor
from torch.nn import functional

from symmetry.torch.modes.filled_rows import padding_of
from symmetry.torch.probes.losses import signature
from symmetry.training.losses import Padded
from symmetry.units.state import Array

_FEWEST = 3  # padding tokens in a batch, and two rows: fewer may be tokens like others


@dataclass(frozen=True)
class EmbeddingCall:
    """One call of an embedding.

    Attributes
    ----------
    number
        The calls of a run are counted from 0.
    tokens
        The numbers that are looked up.
    padding
        The number that is padding (``padding_idx``); None if none is.
    """

    number: int
    tokens: Tensor
    padding: int | None


class Embeddings:
    """Sees each call of an embedding; it may look up other tokens. It is a ``Watcher``.

    Parameters
    ----------
    see
        Called with each call. It may return other tokens of the same shape.
    """

    functions: frozenset[Hashable] = frozenset({functional.embedding})

    def __init__(self, see: Callable[[EmbeddingCall], Tensor | None]) -> None:
        self._see, self._number = see, 0

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Return the arguments, the tokens perhaps replaced."""
        given = signature(func).bind(*args, **kwargs).arguments
        padding = given.get("padding_idx")
        if padding is not None:
            padding %= len(given["weight"])
        other = self._see(EmbeddingCall(self._number, given["input"], padding))
        self._number += 1
        return (args, kwargs) if other is None else ((), {**given, "input": other})


def padded(call: EmbeddingCall, masks: Iterable[Array]) -> Iterator[Padded]:
    """Yield which tokens of a call are padding, if that is certain.

    A mask says so, or what has filled the rows up, or their number.
    """
    tokens = call.tokens.detach().cpu().numpy()
    found = [(padding_by_mask(tokens, mask), "mask") for mask in masks]
    if (filled := padding_of(call.tokens)) is not None:
        found.append((padding_by_mask(tokens, ~filled), "filled"))
    if call.padding is not None:
        found.append((padding_by_number(tokens, call.padding), "number"))
    for padding, known_by in found:
        if padding is not None:
            yield Padded(call.number, tokens, padding, known_by)
            return


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
