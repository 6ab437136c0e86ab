"""The batches that steps of a run are given: as they are, rearranged, or hiding other tokens."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from symmetry.base import generators
from symmetry.torch.batches.draws import SampleDraws
from symmetry.torch.batches.padding import (
    NO_MASK,
    Padding,
    why_none_hidden,
    with_others_hidden,
)
from symmetry.torch.modes.recorder import tensors_in
from symmetry.torch.modes.scope import ModuleScope
from symmetry.torch.objects import Objects, generators_of
from symmetry.torch.script.script import Step
from symmetry.units.units import Order


class Batches:
    """What the steps of one run are called with: a batch where the training gives it.

    Parameters
    ----------
    objects
        What the training made.
    inside
        Knows whether the model is being run: what it draws belongs to no sample.
    """

    def __init__(self, objects: Objects, inside: ModuleScope) -> None:
        self._objects, self._inside = objects, inside
        # What a script's loaders know of its samples.
        self._loaded = objects.step.samples if isinstance(objects.step, Step) else None
        self._draws: SampleDraws | None = None
        self._padding: Padding | None = None
        self._hides_others = False

    @property
    def modes(self) -> tuple[SampleDraws | Padding, ...]:
        """What operations pass through to be followed."""
        return tuple(mode for mode in (self._draws, self._padding) if mode is not None)

    def given(self, i: int, order: Order | None) -> Any:
        """Return what step ``i`` is called with: its number, or the batch in this order."""
        if self._objects.batch is None:
            return i
        if self._draws is None:
            return self._changed(self._objects.batch(i), order)
        self._draws.paused = True
        try:
            return self._changed(self._objects.batch(i), order)
        finally:
            self._draws.paused = False

    def _changed(self, batch: Any, order: Order | None) -> Any:
        if self._padding is not None:
            self._padding.see(batch)
        if self._hides_others:
            batch = with_others_hidden(batch)
        if order is None:
            return batch
        axis, places = self._objects.batch_axis, torch.as_tensor(order)
        return tree_map(
            lambda t: t.index_select(axis, places.to(t.device)) if isinstance(t, Tensor) else t,
            batch,
        )

    def samples(self) -> int | None:
        """Return how many samples each batch has; None where that is not known to be one number."""
        if self._loaded is not None:
            return self._loaded.count
        if self._objects.batch is None:
            return None
        tensors = tensors_in(self._objects.batch(0))
        axis = self._objects.batch_axis
        if not tensors or any(not -t.ndim <= axis < t.ndim for t in tensors):
            return None
        lengths = {t.shape[axis] for t in tensors}
        return lengths.pop() if len(lengths) == 1 else None

    def follow_samples(self, count: int, order: Order | None) -> Mapping[str, bool]:
        """Put what steps draw for each of so many samples in their order; return what is seen."""
        self._draws = SampleDraws(count, order, self._inside)
        if self._loaded is not None:
            return ChainMap(self._loaded.drawn, self._draws.seen)
        return self._draws.seen

    @contextmanager
    def other_draws(self) -> Iterator[None]:
        """Tell the mode that follows samples of what generators other than PyTorch's draw."""
        if self._draws is None or self._loaded is not None:  # which sees them itself
            yield
            return
        shared = [g for g in generators.shared() if not isinstance(g, torch.Generator)]
        others = [*shared, *generators_of(self._objects)]
        before = generators.states_of(others)
        yield
        self._draws.see_other(before, generators.states_of(others))

    def padding(self, steps: int) -> str:
        """Say why nothing that a mask hides can be replaced in so many batches; nothing if it can.

        No step is taken.
        """
        if self._objects.batch is None:
            return NO_MASK
        batches = [self._objects.batch(i) for i in range(steps)]
        return next(filter(None, map(why_none_hidden, batches)), "")

    def replace_hidden(self, *, look: bool = False) -> Mapping[str, bool]:
        """Hide other tokens in the steps that follow; see how they may be known on request."""
        self._hides_others = True
        if not look:
            return {}
        self._padding = Padding()
        return self._padding.found
