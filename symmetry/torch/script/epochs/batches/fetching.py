"""Fetches a batch as worker processes do: with random numbers of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from unittest.mock import patch

from symmetry.base.randomness import generators
from symmetry.torch.script.epochs.batches.overwriting import Overwriting
from symmetry.torch.script.workers import as_worker


class Fetching:
    """Makes the batches of a loader, all in this process.

    Parameters
    ----------
    workers
        Whether the loader is to have worker processes. They leave the random numbers of the script
        alone, and go on with theirs.
    """

    def __init__(self, *, workers: bool) -> None:
        self._workers = workers
        self.overwriting = Overwriting()  # looks at the samples before they are put together
        self._states: list[Any] = []  # of the workers' random generators

    def fetch(
        self, iterator: Any, following: Callable[[Any], Any]
    ) -> tuple[Any, tuple[int, ...] | None]:
        """Return the next batch of an iterator, and the indices of its samples if it has some."""
        orders: list[Any] = []

        def indices() -> Any:
            orders.append(type(iterator)._next_index(iterator))
            return orders[-1]

        iterator._next_index = indices
        try:
            fetcher = getattr(iterator, "_dataset_fetcher", None)
            with as_worker(iterator), self._own_numbers(), self._seen(fetcher):
                return following(iterator), _order_of(orders)
        finally:
            del iterator._next_index

    @contextmanager
    def _seen(self, fetcher: Any) -> Iterator[None]:
        if not getattr(fetcher, "auto_collation", False):
            yield
            return
        collate = fetcher.collate_fn

        def seen(samples: Any) -> Any:
            with suppress(Exception):  # a sample may be anything
                self.overwriting.see(samples)
            return collate(samples)

        data = self.overwriting.watched(fetcher.dataset)
        with patch.object(fetcher, "collate_fn", seen), patch.object(fetcher, "dataset", data):
            yield

    @contextmanager
    def _own_numbers(self) -> Iterator[None]:
        if not self._workers:
            yield
            return
        shared = generators.shared()
        with generators.kept(shared):
            if self._states:
                generators.set_states(shared, self._states)
            try:
                yield
            finally:
                self._states = generators.states_of(shared)


def _order_of(orders: list[Any]) -> tuple[int, ...] | None:
    """Return the indices that an iterator took; None where these are no numbers."""
    if len(orders) != 1:
        return None
    found = orders[0] if isinstance(orders[0], list | tuple) else [orders[0]]
    try:
        return tuple(map(int, found))
    except (TypeError, ValueError):
        return None
