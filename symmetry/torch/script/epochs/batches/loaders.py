"""The loaders of a script: their epochs are ended early, and their batches are events."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from symmetry.base.libraries import update_of_loop
from symmetry.base.patches import Patch
from symmetry.observe.source_line import SourceLine, asked_at, defined_at
from symmetry.torch.objects import family_of
from symmetry.torch.script.epochs.batches.contents import (
    classes_of,
    length_of,
    sampler_of,
    samples_of,
    shuffles,
    source_of,
    weights_of,
)
from symmetry.torch.script.epochs.batches.emulation import Emulation, emulated
from symmetry.torch.script.epochs.batches.fetching import Fetching
from symmetry.torch.script.epochs.batches.turns import data_of, turns_of
from symmetry.torch.script.epochs.log import (
    Log,
    Numbers,
    digest_of,
    shapes_of,
    states,
    tensors_of,
)
from symmetry.torch.script.workers import in_this_process
from symmetry.torch.state import memory_of
from symmetry.training.events import Backward, Batch, Called, Exhausted, Loader

_FETCHED = 3  # batches that may be fetched before the first of them is used


class RecentBatches:
    """The last batches, each with its event, its loader and its tensors."""

    def __init__(self) -> None:
        self._batches: list[tuple[int, int, list[Tensor]]] = []

    def add(self, event: int, loader: int, tensors: list[Tensor]) -> None:
        """Keep a batch, and no more than may be fetched ahead."""
        self._batches = [*self._batches[1 - _FETCHED :], (event, loader, tensors)]

    def forget(self, loader: int) -> None:
        """Drop the batches of a loader whose iterator has ended."""
        self._batches = [each for each in self._batches if each[1] != loader]

    def batch_of(self, value: Any) -> tuple[int | None, int | None]:
        """Return the event of the batch that some arguments come from, and the loader.

        They share memory with it, or have the shape of one of its tensors. Otherwise the loader of
        the last batch is returned; None if its iterator has ended.
        """
        tensors = [t for t in tensors_of(value) if t.numel() > 1]
        places = {memory_of(t) for t in tensors} - {0}
        for event, loader, given in reversed(self._batches):
            if any(memory_of(t) in places for t in given):
                return event, loader
        if not self._batches:
            return None, None
        event, loader, given = self._batches[-1]
        shapes = {t.shape for t in given if t.numel() > 1}
        return (event if any(t.shape in shapes for t in tensors) else None), loader


BATCHES = 2  # of each iterator, as long as there is more to learn from epochs
_UPDATES = 3  # of several batches each, that one iterator gives
_WINDOW = 64  # batches until gradients that are added up have to be used


@dataclass
class _Iteration:
    """The progress of an iterator, and its loader."""

    loader: int
    number: int
    backwards: int  # of the run when it began
    updates: int
    first: int  # the number of its first event
    whole: bool  # whether it is to run to its own end
    given: int = 0  # batches


@dataclass
class _Known:
    """Facts about a loader: its line, its workers and its iterators."""

    at: SourceLine
    workers: int
    fetching: Fetching
    emulation: Emulation
    iterators: int = 0
    most: int = 0  # batches that came before one update
    cut: bool = False


class Loaders:
    """Ends each iterator of a ``DataLoader`` early, and says what it gives.

    An iterator goes on as long as gradients are added up over its batches. Where they are, the
    first one gives some updates, and one short epoch runs to its own end.

    Parameters
    ----------
    log
        Where events go.
    batches
        How many an iterator gives; None if none is ended early.
    """

    def __init__(self, log: Log, batches: int | None) -> None:
        self._log, self._batches = log, batches
        self._numbers, self._sources, self._data = Numbers(), Numbers(), Numbers()
        self._known: list[_Known] = []
        self._made: dict[int, SourceLine] = {}
        self._shown: dict[int, int] = {}  # the lengths of short epochs
        self._iterations: dict[int, tuple[Any, _Iteration]] = {}
        self.recent = RecentBatches()  # the batches that came last
        # How often an epoch was shortened: an iterator ended early, or a library read its length.
        self.cuts = 0
        self.rounds_are_over: Callable[[], bool] = lambda: False
        # Makes a block in which batches are what they are in every other run.
        self.as_loaded: Callable[[], AbstractContextManager[None]] = nullcontext

    @property
    def may_be_endless(self) -> bool:
        """Whether an epoch was shortened that may have no end: nothing says how long it is."""
        return any(k.cut and self._count(i) > _WINDOW for i, k in enumerate(self._known))

    @property
    def differ(self) -> bool:
        """Whether an epoch was shortened, or workers have had random numbers of their own."""
        return self.cuts > 0 or any(known.workers for known in self._known)

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield DataLoader, "__init__", self._noting(DataLoader.__init__)
        yield DataLoader, "_get_iterator", self._begun(DataLoader._get_iterator)
        yield DataLoader, "__len__", self._length(DataLoader.__len__)
        for kind in family_of(_BaseDataLoaderIter):
            if "__next__" in vars(kind):
                yield kind, "__next__", self._next(vars(kind)["__next__"])

    def _noting(self, init: Callable[..., None]) -> Callable[..., None]:
        def noted(loader: Any, *args: Any, **kwargs: Any) -> None:
            self._made.setdefault(id(loader), asked_at())
            init(loader, *args, **kwargs)

        return noted

    def _begun(self, get: Callable[[Any], Any]) -> Callable[[Any], Any]:
        get = in_this_process(get)

        def begun(loader: Any) -> Any:
            first = self._numbers.known(loader) is None
            number = self._numbers.of(loader)
            if first:
                at, workers = self._made.get(id(loader)) or asked_at(), loader.num_workers
                fetching = Fetching(workers=workers > 0)
                self._known.append(_Known(at, workers, fetching, emulated(loader)))
                self._numbers.look(loader)
            iterator = get(loader)
            self._add(iterator, number)
            return iterator

        return begun

    def _add(self, iterator: Any, number: int) -> None:
        known, log = self._known[number], self._log
        known.iterators += 1
        whole = known.iterators == 2 and known.most > 1 and self._count(number) <= _WINDOW
        begin = log.backwards, log.updates, len(log.events)
        iteration = _Iteration(number, len(self._iterations), *begin, whole)
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
                with self.as_loaded():
                    batch, order = self._known[iteration.loader].fetching.fetch(iterator, following)
            except StopIteration:
                self._end(iteration, at, cut=False)
                raise
            self._give(iteration, batch, order, at)
            return batch

        return following_or_end

    def _give(
        self, iteration: _Iteration, batch: Any, order: tuple[int, ...] | None, at: SourceLine
    ) -> None:
        iteration.given += 1
        known, log = self._known[iteration.loader], self._log
        since = log.backwards - iteration.backwards
        if since and log.updates == iteration.updates:
            known.most = max(known.most, iteration.given)
        self.recent.add(len(log.events), iteration.loader, tensors_of(batch))
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
        if iteration.given < self._shown.get(id(self._numbers.objects[iteration.loader]), 0):
            return False  # the loop of a library does
        if iteration.given >= _WINDOW:
            return True
        events = log.events[iteration.first :]
        if not any(isinstance(event, Called | Backward) for event in events):
            return False  # batches are collected, as Trainer does for an update
        backwards, updates = log.backwards - iteration.backwards, log.updates - iteration.updates
        adds_up = backwards > 0 and not updates
        if self._known[iteration.loader].iterators == 1 and backwards >= 2 * updates > 0:
            adds_up = updates < _UPDATES  # there may be no other epoch
        return not adds_up and iteration.given >= (1 if self.rounds_are_over() else self._batches)

    def _end(self, iteration: _Iteration, at: SourceLine, *, cut: bool) -> None:
        self.cuts += cut
        self._known[iteration.loader].cut |= cut
        self.recent.forget(iteration.loader)
        self._log.add(Exhausted, at, loader=iteration.loader, iterator=iteration.number, cut=cut)

    def _length(self, length: Callable[[Any], int]) -> Callable[[Any], int]:
        """Let libraries whose loops end where ``len`` says find the length of a short epoch."""

        def shown(loader: Any) -> int:
            whole, update = length(loader), update_of_loop(sys._getframe(1))
            if self._batches is None or update is None:
                return whole
            most = self._batches * update
            self.cuts += whole > most
            self._shown[id(loader)] = min(whole, most)
            return self._shown[id(loader)]

        return shown

    def _count(self, number: int) -> int:
        """Return how many batches a loader has; more than a window where that is not known."""
        count = length_of(self._numbers.objects[number])
        return _WINDOW + 1 if count is None else count

    def records(self) -> tuple[Loader, ...]:
        """Return what is known of the loaders."""
        return tuple(map(self._record, range(len(self._known))))

    def _record(self, number: int) -> Loader:
        loader, known = self._numbers.objects[number], self._known[number]
        data, indices = source_of(loader)
        # Nothing is compared where one loader is all there is.
        contents, varies = samples_of(loader) if len(self._known) > 1 else ((), False)
        batch_size = getattr(loader.batch_sampler, "batch_size", None) or loader.batch_size
        return Loader(
            number=number,
            at=known.at,
            variable=self._numbers.name_of(number),
            data=type(loader.dataset).__name__,
            samples=length_of(loader.dataset),
            batches=length_of(loader),
            size=batch_size if isinstance(batch_size, int) else None,
            sampler=type(sampler_of(loader)).__name__,
            shuffles=shuffles(loader),
            weights=weights_of(loader),
            overwritten=known.fetching.overwriting.found,
            read_at=defined_at(getattr(type(data), "__getitem__", None)),
            workers=known.workers,
            shared=known.emulation.shared,
            generators=known.emulation.generators,
            seeded_at=defined_at(loader.worker_init_fn),
            why=known.emulation.why,
            source=self._sources.of(data),
            indices=indices,
            contents=contents,
            varies=varies,
            turns=turns_of(loader),
            data_set=self._data.of(data_of(loader)),
            classes=classes_of(loader),
            shown=self._shown.get(id(loader)),
        )

    def cut(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return in words which loaders were ended early, and which were not."""
        shortened: list[str] = []
        others: list[str] = []
        for known in self._known:
            (shortened if known.cut else others).append(f"the loader made at {known.at}")
        return tuple(shortened), tuple(others)
