"""Calls without gradients whose results are compared with data, and train nothing: scores.

And the rows of larger tensors that calls with gradients are given: where they lie, and digests.

    accuracy = (net(x).argmax(1) == y).float().mean()       y is data: the call is scored
    loss = entropy(net(x), labels_of(net(x)))               this one is not: a gradient flows

The data of a call are other ones than those that are trained with if they lie in other memory. A
batch lies where its rows were read; what has been computed lies where its operands do. Nothing is
known of NumPy's arrays, and of loaders.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

from symmetry.torch.loss_functions import LOSSES
from symmetry.torch.script.epochs.log import digest_of, tensors_of
from symmetry.torch.script.rows import reads_rows
from symmetry.torch.watch.functions import FROM_NUMPY
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.events import BatchRows, Score

_COMPARING = {"eq", "__eq__", "ne", "__ne__"} | {loss.__name__ for loss in LOSSES}  # type: ignore[attr-defined]
_CONVERSIONS = {"tensor", "as_tensor", "asarray", "stack"}

Memory = tuple[int, int]  # its first byte, and the byte behind its last one
Numbers = frozenset[int]  # of calls
_NONE = frozenset[Memory]()
_NOWHERE: Memory = (0, 0)


class _Places(NamedTuple):
    """Where the data of a tensor lie, and the data that they are rows of."""

    own: frozenset[Memory]
    around: frozenset[Memory]
    rows: frozenset[str] = frozenset()  # digests of those that were read, before anything is added


class Scores:
    """Follows the results of calls without gradients up to where they are compared with data."""

    def __init__(self) -> None:
        self._calls = WeakIdKeyDictionary()  # that a tensor comes from
        self._places = WeakIdKeyDictionary()  # where the data of a tensor lie, and those around it
        self._scored: set[int] = set()
        self._training: set[int] = set()
        self._trained_with: set[Memory] = set()
        self._given: dict[int, frozenset[Memory]] = {}
        self._seen = WeakIdKeyDictionary()  # tensors that calls with gradients were given
        self._batches: list[tuple[int, _Places, bool]] = []
        self._read: dict[Memory, set[Memory]] = {}  # by tensor, the rows that were read

    def see(self, number: int, given: Any, returned: Any, *, gradient: bool) -> None:
        """See a call of a model by its number, and whether ``gradient``s are recorded."""
        tensors = [t for t in tensors_of(given) if t.ndim]
        if gradient:
            self._trained_with |= {place for t in tensors for place in self._of(t).around}
            self._batches += [(number, self._of(t), t not in self._seen) for t in tensors]
            for tensor in tensors:
                self._seen[tensor] = True
            return
        self._given[number] = frozenset(place for t in tensors for place in self._of(t).own)
        for tensor in tensors_of(returned):
            self._calls[tensor] = Numbers({number})

    def rows_in(self, given: Any) -> tuple[str, ...]:
        """Return digests of the rows that a call is given, as they were read."""
        found = (self._of(t).rows for t in tensors_of(given) if t.ndim)
        return tuple(sorted(frozenset[str]().union(*found)))

    @property
    def records(self) -> tuple[Score, ...]:
        """The scores."""
        scored = sorted(self._scored - self._training)
        return tuple(Score(call=n, of_other_data=self._is_other(self._given[n])) for n in scored)

    @property
    def rows(self) -> tuple[BatchRows, ...]:
        """The rows of larger tensors that calls with gradients were given."""
        return tuple(filter(None, (self._rows(*batch) for batch in self._batches)))

    def _rows(self, number: int, places: _Places, anew: bool) -> BatchRows | None:
        """Return the rows that a call was given; None if they are not known, or are all."""
        if len(places.own) != 1 or len(places.around) != 1 or places.own == places.around:
            return None
        (own,), (around,) = places.own, places.around
        return BatchRows(
            call=number,
            place=own[0],
            share=(own[1] - own[0]) / (around[1] - around[0]),
            anew=anew,
            others_are_read=self._read[around] != {own},
        )

    def _is_other(self, places: frozenset[Memory]) -> bool:
        """Return whether it is certain that nothing at these places is trained with."""
        known = places | self._trained_with
        if not places or not self._trained_with or _NOWHERE in known:
            return False
        return all(a[1] <= b[0] or b[1] <= a[0] for a in places for b in self._trained_with)

    def see_function(
        self, func: Any, args: Sequence[Any], kwargs: dict[str, Any], result: Any
    ) -> None:
        """See the result of a function of PyTorch."""
        if func is FROM_NUMPY:
            self._places[result] = _of_rows(result, ())
            return
        with suppress(RuntimeError, TypeError, NotImplementedError):  # of wrapped tensors
            self._follow(func.__name__, args, kwargs, result)

    def _follow(self, name: str, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> None:
        given, made = tensors_in((args, kwargs)), tensors_in(result)
        calls = Numbers().union(*(self._calls.get(t, Numbers()) for t in given))
        if calls and torch.is_grad_enabled() and any(t.requires_grad for t in given):
            self._training |= calls
        elif calls and name in _COMPARING and any(self._is_data(t) for t in given):
            self._scored |= calls
        if name == "__setitem__":
            made = given[:1]
        if calls:
            for tensor in made:
                self._calls[tensor] = calls
        self._place(name, args, kwargs, given, made, result)

    def _is_data(self, tensor: Tensor) -> bool:
        return tensor.ndim > 0 and not tensor.requires_grad and tensor not in self._calls

    def _place(
        self,
        name: str,
        args: Sequence[Any],
        kwargs: dict[str, Any],
        given: Sequence[Tensor],
        made: Sequence[Tensor],
        result: Any,
    ) -> None:
        """Note where the data of a result lie."""
        data = [self._of(t) for t in given if t.ndim and not t.requires_grad]
        reads = reads_rows(name, args, kwargs, result)
        for tensor in (t for t in made if t.ndim and not t.requires_grad):
            if reads:
                self._places[tensor] = _of_rows(tensor, () if name in _CONVERSIONS else given[:1])
                for source in self._places[tensor].around:
                    self._read.setdefault(source, set()).update(self._places[tensor].own)
            elif data:
                own, around, rows = zip(*data, strict=True)
                self._places[tensor] = _Places(
                    _NONE.union(*own), _NONE.union(*around), frozenset().union(*rows)
                )

    def _of(self, tensor: Tensor) -> _Places:
        itself = frozenset({_memory_of(tensor)})
        found: _Places = self._places.get(tensor, _Places(itself, itself))
        return found


def _of_rows(rows: Tensor, source: Sequence[Tensor]) -> _Places:
    """Return where rows lie that were read, in their source if they are a copy; and a digest."""
    around = frozenset(map(_memory_of, source)) or frozenset({_NOWHERE})
    own = frozenset({_memory_of(rows)}) if source and rows._base is not None else around
    return _Places(own, around, frozenset({digest_of(rows)}))


def _memory_of(tensor: Tensor) -> Memory:
    try:
        begin = tensor.data_ptr() if tensor.layout is torch.strided and tensor.numel() else 0
    except RuntimeError:  # it has no memory of its own
        begin = 0
    if not begin:
        return _NOWHERE
    last = sum((n - 1) * stride for n, stride in zip(tensor.shape, tensor.stride(), strict=True))
    return begin, begin + (last + 1) * tensor.element_size()
