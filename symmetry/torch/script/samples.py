"""The samples that a script puts together into batches: how many, and in which order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from symmetry.base.randomness import generators
from symmetry.base.user_code import is_user_code
from symmetry.torch.labels import label_of, samples_along
from symmetry.torch.modes.draws import BY_OTHERS, same
from symmetry.torch.modes.filled_rows import see_batch
from symmetry.torch.objects import generators_in
from symmetry.torch.script.coroutine import Coroutine
from symmetry.torch.script.rows import SampleRows, rearranged
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.capabilities.batching import Arrangement, FewSamples, Kind, Window

_MOST = 8  # micro-batches that are kept
_IGNORED = -100  # the label that PyTorch's losses leave out


class MicroBatches:
    """Keeps the samples of each batch before the first update, or puts others in their place.

    Parameters
    ----------
    given
        The samples of the micro-batches of one loader, or None.
    """

    def __init__(self, given: Window | None) -> None:
        self.window: Window | None = None  # the micro-batches of the first update, once it is done
        self._given = given
        self._loaders: list[Any] = []
        self._kept: list[list[list[Any]]] = []  # of each loader
        self._updated = False

    def see(self, loader: Any, samples: list[Any]) -> list[Any]:
        """Return the samples that a loader puts together: these, or those that are given."""
        if self._updated:
            return samples
        if not any(loader is known for known in self._loaders):
            self._loaders.append(loader)
            self._kept.append([])
        place = next(k for k, known in enumerate(self._loaders) if known is loader)
        batches, given = self._kept[place], self._given
        number = len(batches)
        if number < _MOST:
            batches.append(_apart(samples))
        if given is None or given.loader != place or number >= len(given.batches):
            return samples
        return _apart([*given.batches[number]])

    def update(self, backwards: Counter[str]) -> None:
        """Learn that the first update is done, and how many backwards each line has called.

        A loader may make batches ahead: as many as there are backwards belong to this update.
        """
        if self._updated:
            return
        self._updated = True
        number = min(max(backwards.values(), default=0), _MOST)
        for place, batches in enumerate(self._kept):
            window = batches[:number]
            if len(window) == number > 1 and len({*map(len, window)}) == 1:
                kinds = tuple(tuple(map(kind_of, batch)) for batch in window)
                self.window = Window(place, tuple(map(tuple, window)), kinds)
                break
        self._loaders, self._kept = [], []


def kind_of(sample: Any) -> Kind:
    """Return the size of a sample; samples of one kind also have as much padding, if they have."""
    facts = [*_facts(sample)]
    return sum(size for size, *_ in facts), tuple(facts)


def _facts(value: Any) -> Iterator[tuple[int, ...]]:
    """Yield for each array its size, its shape, and how many entries may be left out of a loss."""
    if isinstance(value, Mapping):
        value = [*value.values()]
    if isinstance(value, str | bytes):
        yield (len(value),)
    elif isinstance(value, list | tuple) and not all(isinstance(n, int | float) for n in value):
        for each in value:
            yield from _facts(each)
    elif isinstance(value, list | tuple | np.ndarray | Tensor):
        array = np.asarray(value.detach().cpu().float() if isinstance(value, Tensor) else value)
        ends = (_IGNORED, 0, *array.ravel()[-1:].tolist())
        if array.ndim:  # else it may be a label
            yield (array.size, *array.shape, *(int((array == end).sum()) for end in ends))


def _apart(samples: list[Any]) -> list[Any]:
    """Return samples in containers of their own: what puts them together may empty these."""
    apart: list[Any] = tree_map(lambda leaf: leaf, samples)
    return apart


_BEFORE_FORWARD = "between the first batch and the forward"
_COLLATED = "where the batch is collated"


class Samples:
    """Puts the samples of each batch in another order, just before a loader collates them.

    There they are still a list. Where an item of the data set is a whole batch, its rows are put in
    order, which may be samples. Numbers that were drawn for a sample move with it. A script without
    a loader reads rows of its data: these are rearranged where it reads them.

    Parameters
    ----------
    order
        The order of a whole batch; a smaller one has the same order without the samples that it
        lacks. Or the samples that micro-batches of the first update get in place of their own, or
        how many samples of each batch are kept. None leaves the samples as they are.
    coroutine, main
        The script, whose variables may hold random generators.
    rows
        The rows that it reads for a batch; None if a loader makes batches, or it is not known.

    Attributes
    ----------
    count
        How many samples a whole batch has; None if the last loader's batches have a tensor without
        an axis of the samples.
    drawn
        Where random numbers were drawn that may belong to samples and did not move with them; by
        place, always False. It is only looked for where there is an order.
    micro_batches
        The batches before the first update.
    thinned
        Whether a batch has lost samples.
    has_loader
        Whether a loader has made a batch.
    of_items
        Whether the rows of one item of the data set are what is rearranged.
    computed
        The line where a model has last computed without gradients between the last batch and the
        first step; empty if none has. A teacher does so, in the precision that it is written in.
    """

    def __init__(
        self,
        order: Arrangement | None,
        coroutine: Coroutine,
        main: ModuleType,
        rows: SampleRows | None = None,
    ) -> None:
        self.rows = rows
        self.count = None if rows is None else rows.count
        self.has_loader, self.of_items, self.computed = False, False, ""
        self.drawn: dict[str, bool] = {}
        self.micro_batches = MicroBatches(order if isinstance(order, Window) else None)
        self._order = None if isinstance(order, Window | FewSamples) else order
        self._few = order if isinstance(order, FewSamples) else None
        self.thinned = False
        self._coroutine, self._main = coroutine, main
        self._loader: Any = None  # what has made the last batch
        self._states: list[tuple[Any, Any]] = []  # generators after it

    @contextmanager
    def moving(self, iterator: Any) -> Iterator[None]:
        """Rearrange the samples of the batch that a loader makes meanwhile."""
        self.has_loader, self.computed = True, ""
        loader: Any = getattr(iterator, "_dataset_fetcher", None)
        own = _puts_in_order(getattr(iterator, "_index_sampler", None))
        if own or loader is None:  # it makes no batches of samples
            self.count = None
            yield
            return
        self.look()
        with patch.object(loader, "collate_fn", self._collating(loader, loader.collate_fn)):
            yield
        self._states = self._states_now()

    @contextmanager
    def rearranged(self) -> Iterator[None]:
        """Rearrange the rows that the script reads for its batches meanwhile."""
        if self.rows is None or (self._order is None and self._few is None):
            yield
            return
        with rearranged(self.rows, self._put):
            yield

    def _put(self, rows: torch.Tensor) -> torch.Tensor:
        """Return the rows of a batch, or of a smaller one, in the order."""
        self._states = self._states_now()
        assert self.rows is not None
        if not rows.ndim or len(rows) > self.rows.count:
            return rows
        places = self._places(len(rows))
        return rows.index_select(0, torch.tensor(places, device=rows.device))

    def look(self, *, torch_too: bool = False) -> None:
        """Note what was drawn since the last batch by NumPy or Python, and on request by PyTorch.

        Between two batches PyTorch also draws what the model needs.
        """
        for generator, state in self._states:
            of_torch = isinstance(generator, torch.Generator)
            if (torch_too or not of_torch) and not same(state, _state_of(generator)):
                self.drawn[_BEFORE_FORWARD if of_torch else BY_OTHERS] = False

    def _collating(self, loader: Any, collate: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def collated(samples: Any) -> Any:
            if not loader.auto_collation or not isinstance(samples, list):
                return self._of_an_item(loader, collate(samples))
            samples = self.micro_batches.see(loader, samples)
            before = self._states_now()
            # One sample may be a whole batch: then its rows are put in order.
            batch = collate(self._rearranged(samples) if len(samples) > 1 else samples)
            if any(not same(state, _state_of(generator)) for generator, state in before):
                self.drawn[_COLLATED] = False
            see_batch(batch)
            if len(samples) == 1 and not _has_axis(batch, 1):
                return self._of_an_item(loader, batch)
            self._count(loader, len(samples) if _has_axis(batch, len(samples)) else None)
            return batch

        return collated

    def _of_an_item(self, loader: Any, batch: Any) -> Any:
        """Return a batch that is one item of the data set, with its rows in the order."""
        leaves = tree_leaves(batch)
        tensors = tensors_in(leaves)
        self.of_items = True
        self._count(loader, samples_along(tensors, 0) if len(tensors) == len(leaves) else None)
        if self.count is None or (self._order is None and self._few is None):
            return batch
        places = torch.tensor(self._places(len(tensors[0])))
        return tree_map(lambda t: t.index_select(0, places.to(t.device)), batch)

    def _count(self, loader: Any, samples: int | None) -> None:
        """Note how many samples the batch of a loader has."""
        known = self.count if loader is self._loader else None
        self.count = None if samples is None else max(known or 0, samples)
        self._loader = loader

    def _rearranged(self, samples: list[Any]) -> list[Any]:
        labels = [label_of(sample) for sample in samples] if self._few else []
        return [samples[k] for k in self._places(len(samples), labels)]

    def _places(self, count: int, labels: Sequence[Hashable] = ()) -> list[int]:
        """Return which of the samples of a batch come into it, in their order."""
        if self._few is not None:
            kept = self._few.places(count, labels)
            self.thinned |= len(kept) < count
            return kept
        if self._order is None:
            return [*range(count)]
        return [*(int(k) for k in self._order if k < count), *range(len(self._order), count)]

    def _states_now(self) -> list[tuple[Any, Any]]:
        if self._order is None:
            return []
        own = (f for f in self._coroutine.frames if is_user_code(f.f_code.co_filename))
        scopes = (*(frame.f_locals for frame in own), vars(self._main))
        held = generators_in(value for scope in scopes for value in scope.values())
        known = (*generators.shared(), *held)
        return [(generator, _state_of(generator)) for generator in known]


def _puts_in_order(sampler: Any) -> bool:
    """Return whether a user's own class makes batches: their places may have a meaning.

    Those of an episode for few shots are the classes' examples first, then what is asked.
    """
    code = getattr(getattr(type(sampler), "__iter__", None), "__code__", None)
    return code is not None and is_user_code(code.co_filename)


def _state_of(generator: Any) -> Any:
    (state,) = generators.states_of([generator])
    return state


def _has_axis(batch: Any, count: int) -> bool:
    """Return whether each tensor of a batch has an axis of its samples."""
    tensors = tensors_in(dict(batch) if isinstance(batch, Mapping) else batch)
    return bool(tensors) and all(count in tensor.shape for tensor in tensors)
