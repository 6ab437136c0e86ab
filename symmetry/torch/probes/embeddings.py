"""Calls of embeddings in a step: the tokens that are looked up, and which of them are padding."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn import functional

from symmetry.torch.modes.filled_rows import padding_of
from symmetry.torch.probes.losses import signature
from symmetry.training.losses import Padded
from symmetry.training.texts import padding_by_mask, padding_by_number
from symmetry.units.state import Array


@dataclass(frozen=True)
class EmbeddingCall:
    """One call of an embedding."""

    number: int  # the calls of a run are counted from 0
    tokens: Tensor  # the numbers that are looked up
    padding: int | None  # the number that is padding (``padding_idx``); None if none is


class Embeddings:
    """Sees each call of an embedding; it may look up other tokens. It is a ``FunctionListener``.

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
