"""Modules that follow trained ones, as averages of their weights do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from symmetry.base.patches import Patch
from symmetry.observe.source_line import NOWHERE, SourceLine, asked_at
from symmetry.torch.state import memory_of
from symmetry.training.events import Copy

_CLOSE = 1e-3  # of what a copy moves by, that is no multiple of the way to the trained weights
_WRITERS = ("mul_", "add_", "lerp_", "copy_")
_MOST = 1 << 24  # numbers in the parameters of a model that is followed


class _Follower:
    """A trained module and one that may follow it."""

    def __init__(self, model: nn.Module, copy: nn.Module) -> None:
        self.model, self.copy = model, copy
        self.before = _flat(copy)
        self.weights: list[float] = []
        self.buffers = {n: b.clone() for n, b in copy.named_buffers() if b.is_floating_point()}
        self.theirs = {n: b.clone() for n, b in model.named_buffers() if b.is_floating_point()}

    def look(self) -> None:
        """See how far the copy went since the last update, on the way to the trained weights."""
        now, target = _flat(self.copy), _flat(self.model)
        if not now.numel() == target.numel() == self.before.numel():
            return  # one of them has got other layers
        way, moved = target - self.before, now - self.before
        self.before = now
        length = float(way @ way)
        if not length or not bool(moved.any()):
            return
        weight = float(moved @ way) / length
        rest = moved - weight * way
        if float(rest @ rest) <= _CLOSE**2 * float(moved @ moved):
            self.weights.append(weight)

    def stale(self) -> tuple[str, ...]:
        """Return the buffers that the trained module has changed, and the copy has not."""
        now = dict(self.copy.named_buffers())
        trained = dict(self.model.named_buffers())
        return tuple(
            name
            for name, first in self.buffers.items()
            if name in self.theirs and name in now and torch.equal(now[name], first)
            if not torch.equal(trained[name], self.theirs[name])
        )


class Following:
    """Finds copies of trained modules, and how they follow them from update to update."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[int, int], _Follower] = {}
        self._looked = 0
        self._memory: dict[int, int] = {}  # of the copies' parameters: which copy, by id
        self._lines: dict[int, SourceLine] = {}  # where copies are written, by id

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        for name in _WRITERS:
            yield Tensor, name, self._seen(getattr(Tensor, name))

    def _seen(self, write: Callable[..., Any]) -> Callable[..., Any]:
        def seen(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            if self._memory and tensor.layout is torch.strided:
                copy = self._memory.get(memory_of(tensor))
                if copy is not None and copy not in self._lines:
                    self._lines[copy] = asked_at()
            return write(tensor, *args, **kwargs)

        return seen

    def look(self, modules: list[Any], trained: set[int]) -> None:
        """See all pairs once more, before the update that comes next changes what is trained.

        Parameters
        ----------
        modules
            All that were made, and are in no other.
        trained
            The ids of the parameters that optimisers hold.
        """
        for pair in self._pairs.values():
            pair.look()
        self._looked += 1
        if self._looked > 3:  # copies are made when a training begins
            return
        models = [m for m in modules if any(id(p) in trained for p in m.parameters())]
        others = [m for m in modules if not any(id(p) in trained for p in m.parameters())]
        for model in models:
            for other in others:
                key = id(model), id(other)
                if key not in self._pairs and _is_copy(model, other):
                    self._pairs[key] = _Follower(model, other)
                    self._memory |= {memory_of(p): id(other) for p in other.parameters()}

    @property
    def copies(self) -> set[int]:
        """The ids of the modules that follow others."""
        return {id(pair.copy) for pair in self._pairs.values() if pair.weights}

    def records(self, evaluated: dict[int, SourceLine]) -> tuple[Copy, ...]:
        """Return the modules that follow others; ``evaluated`` has those called in eval mode."""
        return tuple(
            Copy(
                name=type(pair.copy).__name__,
                of=type(pair.model).__name__,
                weights=tuple(pair.weights),
                stale=pair.stale(),
                is_evaluated=id(pair.copy) in evaluated,
                at=self._lines.get(id(pair.copy), evaluated.get(id(pair.copy), NOWHERE)),
            )
            for pair in self._pairs.values()
            if pair.weights
        )


def _is_copy(model: nn.Module, other: nn.Module) -> bool:
    """Return whether two modules have parameters of the same shapes, not in the same memory."""
    shapes = [p.shape for p in model.parameters()]
    if not shapes or shapes != [p.shape for p in other.parameters()]:
        return False
    if sum(p.numel() for p in model.parameters()) > _MOST:
        return False
    pairs = zip(model.parameters(), other.parameters(), strict=True)
    return not any(p is q or p.data_ptr() == q.data_ptr() for p, q in pairs)


def _flat(module: nn.Module) -> Tensor:
    return torch.cat([p.detach().double().flatten() for p in module.parameters()])
