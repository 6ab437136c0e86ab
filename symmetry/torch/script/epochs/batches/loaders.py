"""The loaders of a script: their epochs are ended early, and their batches are events."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.utils.data import (
    DataLoader,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    Subset,
    WeightedRandomSampler,
)
from torch.utils.data.dataloader import _BaseDataLoaderIter
from torch.utils.data.distributed import DistributedSampler

from symmetry.base import generators
from symmetry.observe.place import Place, asked_at
from symmetry.torch.script.epochs.batches.emulation import emulated
from symmetry.torch.script.epochs.log import (
    Log,
    Numbers,
    Patch,
    digest_of,
    memory_of,
    shapes_of,
    states,
    tensors_of,
)
from symmetry.training.events import Batch, Exhausted, Loader

BATCHES = 2  # of each iterator, as long as there is more to learn from epochs
_WINDOW = 64  # batches until gradients that are added up have to be used
_LIBRARY = ("lightning", "pytorch_lightning")  # whose loops end where ``len`` says
_FETCHED = 3  # batches that may be fetched before the first of them is used


@dataclass
class _Iteration:
    """The progress of an iterator, and its loader."""

    loader: int
    number: int
    backwards: int  # of the run when it began
    updates: int
    whole: bool  # whether it is to run to its own end
    given: int = 0  # batches
    fed: bool = False  # whether a window of gradients ended in it


@dataclass
class _Known:
    """Facts about a loader: its line, its workers and its iterators."""

    at: Place
    workers: int
    shared: str = ""
    why: str = ""
    iterators: int = 0
    most: int = 0  # batches that came before one update
    cut: bool = False
    classes: tuple[str, ...] = ()
    worker_states: list[Any] = field(default_factory=list)


class Loaders:
    """Ends each iterator of a ``DataLoader`` early, and says what it gives.

    An iterator goes on as long as gradients are added up over its batches; where they are, one
    short epoch runs to its own end.

    Parameters
    ----------
    log
        Where events go.
    batches
        How many an iterator gives; None if none is ended early.

    Attributes
    ----------
    cuts
        How many iterators were ended early.
    """

    def __init__(self, log: Log, batches: int | None) -> None:
        self._log, self._batches = log, batches
        self._numbers, self._sources = Numbers(), Numbers()
        self._known: list[_Known] = []
        self._made: dict[int, Place] = {}
        self._iterations: dict[int, tuple[Any, _Iteration]] = {}
        self._recent: list[tuple[int, int, list[Tensor]]] = []  # event, loader, tensors
        self.cuts = 0
        self.rounds_are_over: Callable[[], bool] = lambda: False

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield DataLoader, "__init__", self._noting(DataLoader.__init__)
        yield DataLoader, "_get_iterator", self._begun(DataLoader._get_iterator)
        yield DataLoader, "__len__", self._length(DataLoader.__len__)
        for kind in _kinds(_BaseDataLoaderIter):
            if "__next__" in vars(kind):
                yield kind, "__next__", self._next(vars(kind)["__next__"])

    def batch_of(self, value: Any) -> tuple[int | None, int | None]:
        """Return the event of the batch that some arguments come from, and the loader.

        They share memory with it, or have the shape of one of its tensors. Otherwise the loader of
        the last batch is returned; None if its iterator has ended.
        """
        tensors = [t for t in tensors_of(value) if t.numel() > 1]
        places = {memory_of(t) for t in tensors} - {0}
        for event, loader, given in reversed(self._recent):
            if any(memory_of(t) in places for t in given):
                return event, loader
        if not self._recent:
            return None, None
        event, loader, given = self._recent[-1]
        shapes = {t.shape for t in given if t.numel() > 1}
        return (event if any(t.shape in shapes for t in tensors) else None), loader

    def _noting(self, init: Callable[..., None]) -> Callable[..., None]:
        def noted(loader: Any, *args: Any, **kwargs: Any) -> None:
            self._made.setdefault(id(loader), asked_at())
            init(loader, *args, **kwargs)

        return noted

    def _begun(self, get: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def begun(loader: Any) -> Any:
            first = self._numbers.known(loader) is None
            number = self._numbers.of(loader)
            if first:
                known = _Known(self._made.get(id(loader)) or asked_at(), loader.num_workers)
                known.shared, known.why = emulated(loader)
                self._known.append(known)
                # Worker processes would outlive the run.
                loader.num_workers, loader.timeout = 0, 0
                loader.multiprocessing_context = None
            iterator = get(loader)
            self._add(iterator, number)
            return iterator

        return begun

    def _add(self, iterator: Any, number: int) -> None:
        known, log = self._known[number], self._log
        known.iterators += 1
        whole = known.iterators == 2 and known.most > 1 and self._count(number) <= _WINDOW
        iteration = _Iteration(number, len(self._iterations), log.backwards, log.updates, whole)
        self._iterations[id(iterator)] = iterator, iteration  # kept: others get other numbers

    def _next(self, following: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def following_or_end(iterator: Any) -> Any:
            _, iteration = self._iterations.get(id(iterator), (None, None))
            if iteration is None or self._log.ended:
                return following(iterator)
            at = asked_at()
            if self._is_over(iteration):
                self._end(iteration, at, cut=True)
                raise StopIteration
            try:
                batch, order = self._made_batch(iterator, iteration, following)
            except StopIteration:
                self._end(iteration, at, cut=False)
                raise
            self._give(iteration, batch, order, at)
            return batch

        return following_or_end

    def _made_batch(
        self, iterator: Any, iteration: _Iteration, following: Callable[[Any], Any]
    ) -> tuple[Any, tuple[int, ...] | None]:
        """Make a batch as workers do, if there are to be some: with random numbers of their own."""
        orders: list[Any] = []

        def indices() -> Any:
            orders.append(type(iterator)._next_index(iterator))
            return orders[-1]

        known = self._known[iteration.loader]
        iterator._next_index = indices
        shared = generators.shared()
        try:
            if not known.workers:
                return following(iterator), _order_of(orders)
            with generators.kept(shared):
                if known.worker_states:
                    generators.set_states(shared, known.worker_states)
                try:
                    return following(iterator), _order_of(orders)
                finally:
                    known.worker_states = generators.states_of(shared)
        finally:
            del iterator._next_index

    def _give(
        self, iteration: _Iteration, batch: Any, order: tuple[int, ...] | None, at: Place
    ) -> None:
        iteration.given += 1
        known, log = self._known[iteration.loader], self._log
        since = log.backwards - iteration.backwards
        if since and log.updates == iteration.updates:
            known.most = max(known.most, iteration.given)
        tensors = tensors_of(batch)
        self._recent = [
            *self._recent[1 - _FETCHED :],
            (len(log.events), iteration.loader, tensors),
        ]
        log.add(
            Batch,
            at,
            loader=iteration.loader,
            iterator=iteration.number,
            number=iteration.given,
            digest=digest_of(batch),
            order=order,
            shapes=shapes_of(batch),
            states=states(),
        )

    def _is_over(self, iteration: _Iteration) -> bool:
        """Return whether an iterator has given enough."""
        if self._batches is None or iteration.whole:
            return False
        log = self._log
        if iteration.given >= self._count(iteration.loader):
            return False  # it ends by itself
        if iteration.given >= _WINDOW:
            return True
        adds_up = log.backwards > iteration.backwards and log.updates == iteration.updates
        return not adds_up and iteration.given >= (1 if self.rounds_are_over() else self._batches)

    def _end(self, iteration: _Iteration, at: Place, *, cut: bool) -> None:
        self.cuts += cut
        self._known[iteration.loader].cut |= cut
        self._recent = [each for each in self._recent if each[1] != iteration.loader]
        self._log.add(Exhausted, at, loader=iteration.loader, iterator=iteration.number, cut=cut)

    def _length(self, length: Callable[[Any], int]) -> Callable[[Any], int]:
        """Let libraries whose loops end where ``len`` says find the length of a short epoch."""

        def shown(loader: Any) -> int:
            asked_by = sys._getframe(1).f_globals.get("__name__", "").partition(".")[0]
            if self._batches is None or asked_by not in _LIBRARY:
                return length(loader)
            return min(length(loader), self._batches)

        return shown

    def _count(self, number: int) -> int:
        """Return how many batches a loader has; more than a window where that is not known."""
        count = _length_of(self._numbers.objects[number])
        return _WINDOW + 1 if count is None else count

    def records(self) -> tuple[Loader, ...]:
        """Return what is known of the loaders."""
        return tuple(map(self._record, range(len(self._known))))

    def _record(self, number: int) -> Loader:
        loader, known = self._numbers.objects[number], self._known[number]
        data, indices = _source(loader.dataset)
        batch_size = getattr(loader.batch_sampler, "batch_size", None) or loader.batch_size
        return Loader(
            number=number,
            at=known.at,
            data=type(loader.dataset).__name__,
            samples=_length_of(loader.dataset),
            batches=_length_of(loader),
            size=batch_size if isinstance(batch_size, int) else None,
            sampler=type(_sampler(loader)).__name__,
            shuffles=_shuffles(loader),
            workers=known.workers,
            shared=known.shared,
            why=known.why,
            source=self._sources.of(data),
            indices=indices,
            classes=_classes(loader),
        )

    def cut(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return in words which loaders were ended early, and which were not."""
        shortened: list[str] = []
        others: list[str] = []
        for known in self._known:
            (shortened if known.cut else others).append(f"the loader made at {known.at}")
        return tuple(shortened), tuple(others)


def _kinds(kind: type) -> Iterator[type]:
    yield kind
    children: list[type] = kind.__subclasses__()
    for below in children:
        yield from _kinds(below)


def _order_of(orders: list[Any]) -> tuple[int, ...] | None:
    """Return the indices that an iterator took; None where these are no numbers."""
    if len(orders) != 1:
        return None
    found = orders[0] if isinstance(orders[0], list | tuple) else [orders[0]]
    try:
        return tuple(map(int, found))
    except (TypeError, ValueError):
        return None


def _length_of(sized: Any) -> int | None:
    with suppress(Exception):  # a data set of the user's may do anything
        return len(sized)
    return None


def _source(data: Any) -> tuple[Any, frozenset[int] | None]:
    """Return the data set below all subsets, and the indices of it that are loaded."""
    indices: list[int] | None = None
    while isinstance(data, Subset):
        below = [int(i) for i in data.indices]
        indices = below if indices is None else [below[i] for i in indices]
        data = data.dataset
    return data, None if indices is None else frozenset(indices)


def _sampler(loader: Any) -> Any:
    return getattr(loader.batch_sampler, "sampler", None) or loader.sampler


def _shuffles(loader: Any) -> bool:
    sampler = _sampler(loader)
    if isinstance(sampler, DistributedSampler):
        return bool(sampler.shuffle)
    return isinstance(sampler, RandomSampler) and not isinstance(sampler, WeightedRandomSampler)


def _classes(loader: Any) -> tuple[str, ...]:
    """Return the labels of the first, middle and last batch, if each has one label and in order."""
    size, data = loader.batch_size, loader.dataset
    count = _length_of(data)
    in_order = isinstance(loader.sampler, SequentialSampler) and not isinstance(
        data, IterableDataset
    )
    if not (in_order and isinstance(size, int) and 4 <= size <= 256) or not count:
        return ()
    if count < 3 * size:
        return ()
    found = []
    with suppress(Exception), generators.kept(generators.shared()):
        for first in (0, count // 2 // size * size, (count // size - 1) * size):
            labels = {_label(data[index]) for index in range(first, first + size)}
            if len(labels) > 1 or None in labels:
                return ()
            found.append(str(labels.pop()))
    return tuple(found) if len(found) == 3 else ()


def _label(sample: Any) -> int | None:
    """Return the label of a sample: its last entry, if that is a whole number."""
    last: Any = None
    if isinstance(sample, tuple | list) and sample:
        last = sample[-1]
    elif isinstance(sample, dict):
        last = sample.get("labels", sample.get("label"))
    if isinstance(last, Tensor):
        whole = last.numel() == 1 and not (last.is_floating_point() or last.is_complex())
        return int(last) if whole else None
    return last if isinstance(last, int) and not isinstance(last, bool) else None
