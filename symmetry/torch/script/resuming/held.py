"""The state of a script between two updates, as digests of all tensors by name.

Among them are averages of trained weights: modules, dictionaries and lists of tensors that follow a
model.
"""

from __future__ import annotations

import gc
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.amp import GradScaler
from torch.optim.swa_utils import AveragedModel

from symmetry.base.patches import Patch
from symmetry.torch.creation import noting
from symmetry.torch.objects import held_by
from symmetry.torch.script.epochs.log import digest_of, states
from symmetry.torch.state import memory_of
from symmetry.training.resumed_runs import Average, HeldState

_CLOSE = 1e-3  # of what an average moves by, that is no part of the way to the weights
_MOST = 1 << 24  # numbers in the weights that are followed

_Shapes = tuple[torch.Size, ...]


class _Candidate(NamedTuple):
    """Tensors that have the shapes of a model's."""

    name: str
    holder: Any  # kept alive: another object would get its number
    tensors: list[Tensor]
    model: list[Tensor]  # of the model, in the same order
    is_declared: bool


class Averages:
    """Finds averages, and sees whether they move towards the weights from look to look."""

    def __init__(self) -> None:
        # By the number of what holds them: that, its numbers, and the weights.
        self._before: dict[int, tuple[Any, Tensor, Tensor]] = {}

    def look(self, models: Sequence[nn.Module], others: Sequence[nn.Module]) -> tuple[Average, ...]:
        """Return what may be averages of models now, among other modules and in containers."""
        found = [*_modules(models, others), *_containers(models, others)]
        averages = tuple(map(self._average, found))
        self._before = {id(c.holder): (c.holder, _flat(c.tensors), _flat(c.model)) for c in found}
        return averages

    def _average(self, found: _Candidate) -> Average:
        return Average(
            name=found.name,
            number=id(found.holder),
            tensors=tuple(digest_of([tensor]) for tensor in found.tensors),
            follows=found.is_declared or self._follows(found),
        )

    def _follows(self, found: _Candidate) -> bool:
        """Return whether it went a part of the way to the weights since the last look."""
        if id(found.holder) not in self._before:
            return False
        _, before, weights = self._before[id(found.holder)]
        moved = _flat(found.tensors) - before
        if moved.numel() != before.numel() or not bool(moved.any()):
            return False
        return any(_is_part(moved, to - before) for to in (_flat(found.model), weights))


def _is_part(moved: Tensor, way: Tensor) -> bool:
    length = float(way @ way)
    share = float(moved @ way) / length if length else 0.0
    rest = moved - share * way
    return 0 < share < 1 and float(rest @ rest) <= _CLOSE**2 * float(moved @ moved)


def _modules(models: Sequence[nn.Module], others: Sequence[nn.Module]) -> Iterator[_Candidate]:
    for model in models:
        mine = [*model.parameters()]
        shapes = _shapes_of(mine)
        for other in others:
            theirs = [*other.parameters()]
            if _shapes_of(theirs) == shapes and sum(t.numel() for t in theirs) <= _MOST:
                name, declared = type(other).__name__, isinstance(other, AveragedModel)
                yield _Candidate(name, other, theirs, mine, declared)


def _containers(models: Sequence[nn.Module], others: Sequence[nn.Module]) -> Iterator[_Candidate]:
    """Yield dictionaries and lists of tensors with the shapes of a model's, in their order.

    Those of modules are left out.
    """
    known: dict[_Shapes, list[Tensor]] = {}
    taken: set[int] = set()
    for own in (form for model in models for form in _forms_of(model)):
        if len(own) > 1 and sum(t.numel() for t in own) <= _MOST:
            known.setdefault(_shapes_of(own), own)
    for module in (*models, *others):
        taken |= {memory_of(t) for t in (*module.parameters(), *module.buffers())}
        taken |= {memory_of(p.grad) for p in module.parameters() if p.grad is not None}
    for holder in _of_tensors():
        values = _values(holder)
        theirs = known.get(_shapes_of(values))
        if theirs and not any(v.requires_grad or memory_of(v) in taken for v in values):
            kind = "a dictionary" if isinstance(holder, dict) else "a list"
            yield _Candidate(f"{kind} of tensors", holder, values, theirs, False)


def _of_tensors() -> Iterator[Any]:
    """Yield the dictionaries and lists, of those not frozen, that only hold several tensors."""
    kinds = Tensor, nn.Parameter
    for holder in gc.get_objects():
        several = type(holder) in (dict, list) and len(holder) > 1
        if several and all(type(value) in kinds for value in _values(holder)):
            yield holder


def _values(holder: Any) -> list[Any]:
    return [*holder.values()] if isinstance(holder, dict) else [*holder]


def _forms_of(model: nn.Module) -> Iterator[list[Tensor]]:
    """Yield the tensors of a model that are averaged: all, those that are trained, with buffers."""
    yield [*model.parameters()]
    yield [p for p in model.parameters() if p.requires_grad]
    yield [p.detach() for p in (*model.parameters(), *model.buffers())]


def _shapes_of(tensors: Iterable[Tensor]) -> _Shapes:
    return tuple(tensor.shape for tensor in tensors)


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([t.detach().double().flatten() for t in tensors])


class Holding:
    """Looks at what a script holds.

    Each tensor has the name of its module's class before its own: modules have no other name that
    two runs share.
    """

    def __init__(self) -> None:
        self._averages = Averages()
        self._scalers: list[GradScaler] = []

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced while the script runs."""
        yield GradScaler, "__init__", noting(GradScaler.__init__, self._scalers.append)

    def look(
        self, event: int, roots: Sequence[nn.Module], optimizers: Sequence[Any], *, deep: bool
    ) -> HeldState:
        """Return what these modules and optimisers hold; and averages and scales, if ``deep``.

        The number of the ``event`` that comes next is remembered with it.
        """
        stepping = {id(p) for optimizer in optimizers for p in held_by(optimizer)}
        trained = [r for r in roots if any(id(p) in stepping for p in r.parameters())]
        others = [r for r in roots if not any(id(p) in stepping for p in r.parameters())]
        named = [*_named(trained)]
        names = {id(p): name for name, _, p in named}
        return HeldState(
            event=event,
            parameters={name: _digest(p) for name, _, p in named},
            trained=frozenset(name for name, _, p in named if id(p) in stepping),
            optimizers=dict(_optimizer_states(optimizers, names)),
            buffers=dict(_buffers(trained)),
            random={f"the random generator of {name}": s for name, s in states().items()},
            scales=self._scales() if deep else (),
            averages=self._averages.look(trained, others) if deep else (),
        )

    def _scales(self) -> tuple[str, ...]:
        """Return the scales of the scalers of losses that are in use."""
        return tuple(f"{float(s.get_scale()):g}" for s in self._scalers if s.is_enabled())


def _named(roots: Sequence[nn.Module]) -> Iterator[tuple[str, nn.Module, Tensor]]:
    """Yield the parameters of modules by names that begin with the modules' classes."""
    for label, root in _labelled(roots):
        for name, parameter in root.named_parameters():
            yield f"{label}.{name}", root, parameter


def _labelled(roots: Sequence[nn.Module]) -> Iterator[tuple[str, nn.Module]]:
    seen: Counter[str] = Counter()
    for root in roots:
        kind = type(root).__name__
        seen[kind] += 1
        yield f"{kind}{seen[kind]}" if seen[kind] > 1 else kind, root


def _buffers(roots: Sequence[nn.Module]) -> Iterator[tuple[str, str]]:
    """Yield the buffers that state dictionaries have."""
    for label, root in _labelled(roots):
        saved = {
            f"{path}.{name}" if path else name
            for path, module in root.named_modules()
            for name in module._buffers.keys() - module._non_persistent_buffers_set
        }
        for name, buffer in root.named_buffers():
            if name in saved:
                yield f"{label}.{name}", _digest(buffer)


def _optimizer_states(
    optimizers: Sequence[Any], names: dict[int, str]
) -> Iterator[tuple[str, str]]:
    """Yield what optimisers keep for parameters; one that is made and not used keeps nothing."""
    for optimizer in optimizers:
        for place, parameter in enumerate(held_by(optimizer)):
            state = optimizer.state.get(parameter, {})
            owner = names.get(id(parameter), f"parameter {place}")
            for key, value in sorted(state.items(), key=lambda item: str(item[0])):
                if value is not None:
                    kind = type(optimizer).__name__
                    of = f"{key} of {owner} ({kind})"
                    yield of, _digest(value) if isinstance(value, Tensor) else repr(value)


def _digest(tensor: Tensor) -> str:
    if tensor.numel() == 1:  # a count is a number of Python in some versions
        return repr(float(tensor))
    return digest_of([tensor])
