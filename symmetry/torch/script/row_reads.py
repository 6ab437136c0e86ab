"""Finds the rows that a script reads for its first batch, and whether they are samples.

Example: a loop that shuffles and slices, as most small scripts do.

    order = torch.randperm(512)             drawn: rows in this order are in none of their own
    for i in range(0, 512, 32):
        index = order[i : i + 32]           a read of 32 numbers, behind the next two
        x, y = images[index], labels[index]     two reads of 32 rows, at places that are drawn
        loss = entropy(net(x), y)           x meets weights: a batch has 32 samples. y meets what
                                            the model returns: it has their labels

Rows in the order of the data may be steps of time: it is doubtful that they may be rearranged,
unless PyTorch has drawn their places, or they are windows that lie in no order. So it is where rows
have partners that come from no read, as in ``(weights * loss).mean()``, also where pieces are put
together first, or where a target gets them without gradients. Numbers that only count the
rows are no partners: ``arange`` in ``states[arange(len(states)), lengths - 1]``, or in the inverse
of an order, as packing by length has.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.weak import WeakIdKeyDictionary

from symmetry.base.user_code import user_place
from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.torch.script.rows import SampleRows, Site, operands_in, reads_rows, site_of
from symmetry.torch.watch.functions import results
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.capabilities.batching import Doubt

_DRAWS = ("randperm", "randint")
# Functions that leave rows in their order.
_KEEPING = {"__getitem__", "index_select", "split", "chunk", "tensor_split", "narrow", "unbind"}
_KEEPING |= {"to", "type", "long", "int", "float", "double", "half", "bool", "cpu", "cuda"}
_KEEPING |= {"clone", "contiguous", "detach", "pin_memory", "view", "reshape", "add", "__add__"}
_KEEPING |= {"__radd__", "sub", "__sub__", "mul", "__mul__", "__rmul__", "div", "__truediv__"}
_KEEPING |= {"remainder", "__mod__"}
_INDEXING = ("__getitem__", "index_select")
_INVERTING = ("scatter_", "scatter", "__setitem__")
_FEWEST = 2  # rows of a batch

Lines = frozenset[str]


@dataclass(frozen=True, eq=False)
class _Read:
    """A read of rows."""

    site: Site
    at: SourceLine
    rows: int
    draws: Lines  # that its places come from; empty if rows are in the order of the data


class _Partner(NamedTuple):
    """A tensor of no read that meets rows."""

    tensor: int  # its ``id``
    lengths: frozenset[int]  # of the axes along which its numbers differ
    met: frozenset[int]  # how many rows the tensors have that it meets
    at: SourceLine

    def is_for(self, count: int) -> bool:
        """Return whether it has a number for each row of a batch, or of pieces put together."""
        pieces = {rows for rows in self.met if rows % count == 0}
        return not self.lengths.isdisjoint({count, *pieces})


class _Origin(NamedTuple):
    """The reads and draws that a tensor comes from."""

    reads: frozenset[_Read] = frozenset()
    draws: Lines = frozenset()  # of the order of its rows
    numbers: Lines = frozenset()  # of its whole numbers, which may be an index
    begun: Lines = frozenset()  # of the place at which it begins
    behind: frozenset[_Read] = frozenset()  # of indices by which its rows were read
    partners: frozenset[_Partner] = frozenset()  # that it has met without gradients

    @property
    def places(self) -> Lines:
        """The draws of the rows that are read by it, if it is an index."""
        return self.draws | self.numbers


_NOTHING = _Origin()


class RowReads:
    """Follows the rows that a script reads, from its start through its first step."""

    def __init__(self) -> None:
        self._origins = WeakIdKeyDictionary()
        self._of_arrays = WeakIdKeyDictionary()  # the memory of NumPy that tensors show a part of
        self._met: set[_Read] = set()
        self._behind: set[_Read] = set()
        self._partners: set[_Partner] = set()
        self._count: int | None = None
        self._reads = 0  # how many there were

    def watching(self) -> AbstractContextManager[None]:
        """Follow what the block does."""
        return results(self._see)

    def found(self, modules: Sequence[nn.Module]) -> SampleRows | None:
        """Return the rows of the batches; the buffers of ``modules`` are no partners of rows."""
        reads = [read for read in self._met if read.rows == self._count]
        if self._count is None or not reads:
            return None
        sites = frozenset(read.site for read in reads)
        draws = Lines().union(*(read.draws for read in reads))
        return SampleRows(self._count, sites, self._reads, draws, self._doubt(reads, modules))

    def _doubt(self, reads: Sequence[_Read], modules: Sequence[nn.Module]) -> Doubt:
        own = {id(t) for m in modules for t in (*m.parameters(), *m.buffers())}
        assert self._count is not None
        partners = (p for p in self._partners if p.tensor not in own)
        places = sorted((p.at for p in partners if p.is_for(self._count)), key=str)
        places += [read.at for read in reads if read in self._behind]
        if places:
            return Doubt(f"each row may have a partner at its place in the batch ({places[0]})")
        in_order = [read.at for read in reads if not read.draws]
        why = f"the order of the rows may have a meaning ({in_order[0]})" if in_order else ""
        return Doubt(why, "order")

    def _see(self, func: Any, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> None:
        with suppress(RuntimeError, TypeError, NotImplementedError):  # of wrapped tensors
            self._follow(func.__name__, args, kwargs, result)

    def _follow(self, name: str, args: Sequence[Any], kwargs: dict[str, Any], result: Any) -> None:
        made = tensors_in(result)
        if name in _DRAWS:
            origin = _Origin(numbers=Lines({user_place()}))
        elif reads_rows(name, args, kwargs, result):
            origin = self._read(name, args, kwargs, made)
        else:
            origin = self._computed(name, [*args, *kwargs.values()])
        if name == "__setitem__":
            made = operands_in(args[:1])
        for tensor in made if origin != _NOTHING else ():
            self._origins[tensor] = origin

    def _computed(self, name: str, given: Sequence[Any]) -> _Origin:
        """Return the origin of what is computed, and see what meets there."""
        tensors = operands_in(given)
        counting = [id(t) for t in self._counting(name, given)]
        partners = self._meet([t for t in tensors if id(t) not in counting])
        known = [self._origin(tensor) for tensor in tensors]
        sources, index = (known[:1], known[1:]) if name in _INDEXING else (known, [])
        kept = sources if name in _KEEPING else []
        places = _union(origin.places for origin in index)
        whole = any(tensor.ndim for tensor in tensors[1:])
        return _Origin(
            reads=_union(origin.reads for origin in known),
            draws=_union(origin.draws for origin in kept) | (places if whole else Lines()),
            numbers=_union(origin.numbers for origin in kept),
            begun=_union(origin.begun for origin in known) | (Lines() if whole else places),
            behind=_union(origin.behind for origin in known),
            partners=partners.union(*(origin.partners for origin in known)),
        )

    def _counting(self, name: str, given: Sequence[Any]) -> Iterator[Tensor]:
        """Yield the arguments that count rows: each at its own place, or in the inverse order."""
        tensors = operands_in(given)
        if name == "__getitem__" and isinstance(given[1], tuple) and self._origin(given[0]).reads:
            for key, length in zip(given[1], given[0].shape, strict=False):
                if (
                    key is None
                    or key is ...
                    or (isinstance(key, Tensor) and key.dtype.itemsize == 1)
                ):
                    return  # the axes of other keys are not known
                if isinstance(key, Tensor) and _counts(key, length):
                    yield key
        elif name in _INVERTING and len(tensors) == 3:
            _, order, counted = tensors  # the first is the inverse of the order
            if order.ndim == 1 and _counts(order.sort().values, len(order)):
                yield from [counted] if _counts(counted, len(order)) else []

    def _read(
        self, name: str, args: Sequence[Any], kwargs: dict[str, Any], made: Sequence[Tensor]
    ) -> _Origin:
        """Return the origin of rows that are read."""
        pieces = [self._origin(tensor) for tensor in operands_in(args[:1])]
        index = operands_in([*args[1:], *kwargs.values()])
        by = [self._origin(tensor) for tensor in index]
        begun = _union(origin.places for origin in by)
        if name == "stack":
            placed = all(origin.begun for origin in pieces)
            draws = _union(o.begun for o in pieces) if placed else self._scattered(args[0])
        elif any(tensor.ndim for tensor in index):
            draws = begun
        else:
            draws = _union(origin.draws for origin in pieces)
        self._reads += 1
        read = _Read(site_of(name), asked_at(), max(map(len, made)), draws)
        behind = _union(origin.behind for origin in pieces) | _union(
            origin.behind | origin.reads for origin in by
        )
        reads, numbers = _union(o.reads for o in pieces), _union(o.numbers for o in pieces)
        if name == "from_numpy" and args[0].base is not None:
            self._of_arrays[made[0]] = args[0].base
        return _Origin(reads | {read}, draws, numbers, begun, behind)

    def _scattered(self, pieces: Sequence[Tensor]) -> Lines:
        """Return this line if pieces lie in one memory, and in no order: something draws where."""
        sources = [self._of_arrays.get(t, t._base) for t in pieces]
        begins = [t.data_ptr() for t in pieces]
        in_one = sources[0] is not None and all(source is sources[0] for source in sources)
        in_order = begins in (sorted(begins), sorted(begins, reverse=True))
        return Lines({user_place()}) if in_one and not in_order else Lines()

    def _origin(self, tensor: Tensor) -> _Origin:
        found: _Origin = self._origins.get(tensor, _NOTHING)
        return found

    def _meet(self, tensors: Sequence[Tensor]) -> frozenset[_Partner]:
        """See which rows are taken together with something that has a gradient.

        Return the partners that they meet without gradients: they count where the rows are used.
        """
        recorded = torch.is_grad_enabled()
        trains = recorded and any(tensor.requires_grad for tensor in tensors)
        rows = {id(t) for t in tensors if self._origin(t).reads}
        if not (rows or trains):
            return frozenset()
        met = frozenset(len(t) for t in tensors if id(t) in rows and t.ndim)
        others = (t for t in tensors if id(t) not in rows and not t.requires_grad)
        partners = frozenset(filter(None, (_partner(other, met) for other in others)))
        for tensor in tensors:
            if id(tensor) in rows and trains:
                self._use(tensor)
        if not recorded:
            return partners
        self._partners |= partners
        return frozenset()

    def _use(self, tensor: Tensor) -> None:
        """See rows, or what was computed from them, where something is trained with them."""
        origin = self._origin(tensor)
        self._met |= origin.reads
        self._partners |= origin.partners
        self._behind |= origin.behind
        if self._count is None and not tensor.requires_grad and tensor.ndim:
            counts = {read.rows for read in origin.reads if read.rows >= _FEWEST}
            self._count = len(tensor) if len(tensor) in counts else None


def _partner(tensor: Tensor, met: frozenset[int]) -> _Partner | None:
    """Return a tensor of no read that meets rows, if its numbers differ along an axis."""
    if tensor.layout is not torch.strided or tensor.is_meta or tensor.numel() < _FEWEST:
        return None
    axes = [axis for axis, length in enumerate(tensor.shape) if length >= _FEWEST]
    differ = (a for a in axes if bool((tensor != tensor.narrow(a, 0, 1)).any()))
    lengths = frozenset(tensor.shape[axis] for axis in differ)
    return _Partner(id(tensor), lengths, met, asked_at()) if lengths else None


def _counts(tensor: Tensor, length: int) -> bool:
    """Return whether a tensor is 0, 1, 2, ... to a length."""
    whole = tensor.shape == (length,) and not tensor.is_floating_point()
    return whole and torch.equal(tensor, torch.arange(length).to(tensor))


def _union(sets: Iterator[frozenset[Any]]) -> frozenset[Any]:
    return frozenset().union(*sets)
