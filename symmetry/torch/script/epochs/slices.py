"""Slices of a long tensor that a loop reads one after the other, beginning anew at its end.

Example: tokens of a text, read 128 at a time.

    chunk = tokens[i : i + 129]     the next slice begins where this one ends, or one before
    i = 0                           the rest of the tensor is never read, if it is long enough
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from torch import Tensor

from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.training.events import SlicesRead

_LONG = 100  # entries: shorter tensors are rows and targets
_FEWEST = 5  # reads: a few of them follow each other by chance
_MOST = 64  # tensors that are followed


@dataclass
class _Reads:
    """The reads of one tensor."""

    tensor: Tensor  # kept, so that no other one gets its id
    at: SourceLine
    slices: list[tuple[int, int]] = field(default_factory=list)


class SliceReads:
    """Sees slices of tensors with one axis."""

    def __init__(self) -> None:
        self._reads: dict[int, _Reads] = {}

    def see_function(
        self, func: Any, args: Sequence[Any], _: Mapping[str, Any], result: Any
    ) -> None:
        """See the result of a function of PyTorch."""
        if func.__name__ != "__getitem__" or not isinstance(result, Tensor) or len(args) < 2:
            return
        tensor, key = args[0], args[1]
        if not isinstance(key, slice) or tensor.ndim != 1 or tensor.numel() <= _LONG:
            return
        start, stop = key.start or 0, tensor.numel() if key.stop is None else key.stop
        if not (isinstance(start, int) and isinstance(stop, int) and 0 <= start < stop):
            return
        if id(tensor) not in self._reads and len(self._reads) < _MOST:
            self._reads[id(tensor)] = _Reads(tensor, asked_at())
        if id(tensor) in self._reads:
            self._reads[id(tensor)].slices.append((start, min(stop, tensor.numel())))

    @property
    def records(self) -> tuple[SlicesRead, ...]:
        """The tensors that are read in order, and begun anew before their end."""
        return tuple(
            SlicesRead(
                at=reads.at,
                length=reads.tensor.numel(),
                end=max(stop for _, stop in reads.slices),
                size=reads.slices[0][1] - reads.slices[0][0],
            )
            for reads in self._reads.values()
            if _are_rounds(reads.slices)
        )


def _are_rounds(slices: Sequence[tuple[int, int]]) -> bool:
    """Return whether slices follow each other from the beginning, and then begin there again."""
    pairs = [*pairwise(slices)]
    follow = sum(b[0] in (a[1], a[1] - 1) for a, b in pairs)
    anew = sum(b[0] == slices[0][0] < a[0] for a, b in pairs)
    return len(slices) >= _FEWEST and bool(anew) and follow + anew == len(pairs)
