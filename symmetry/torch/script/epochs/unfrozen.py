"""Parameters that a script trains only after its first update, and that no optimiser holds.

Example: a backbone is frozen, and the optimiser made of what requires a gradient.

    optimizer = Adam(p for p in model.parameters() if p.requires_grad)
    ...
    model.backbone.requires_grad_(True)    the optimiser does not hold it: it stays as it is
    model.head = nn.Linear(64, 20)         nor a layer that is made anew

A module of which optimisers hold nothing may have to stay: a random layer that is made for each
batch, or a critic whose optimiser is made later. It counts if it was frozen at first, is unfrozen
for good, trains in a run that is whole, and no line of the script reads its gradients.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any

import torch
from torch import Tensor, nn

from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.training.events import Unfrozen

_grad: Any = Tensor.grad


class _Late:
    """A parameter, its numbers at the first update with a gradient, and those updates."""

    def __init__(self, parameter: Tensor, at: SourceLine, *, is_new: bool) -> None:
        self.parameter, self.at, self.updates, self.is_new = parameter, at, 0, is_new
        self.before = parameter.detach().clone()
        self.is_for_good = not is_new  # it was frozen, is no more, and its module is in training

    @property
    def stays(self) -> bool:
        """Whether nothing has moved it."""
        return bool(torch.equal(self.parameter, self.before))


class UnfrozenParameters:
    """Sees which parameters are frozen or absent at an update, and have gradients at later ones."""

    def __init__(self) -> None:
        # Parameters by id: those that were frozen at an update, and all of the first update. They
        # are kept alive, so that no other one gets the id.
        self._frozen: dict[int, Tensor] = {}
        self._first: dict[int, Tensor] | None = None
        self._trained: dict[int, nn.Module] = {}  # of which an optimiser held parameters
        self._found: dict[int, _Late] = {}

    def look(self, modules: Sequence[nn.Module], held: Set[int]) -> None:
        """See the parameters of all modules before an update; optimisers hold those of some ids."""
        for module in modules:
            if not held.isdisjoint(map(id, module.parameters())):
                self._trained[id(module)] = module
        parameters = [p for module in modules for p in module.parameters()]
        if self._first is None:
            self._first = {id(p): p for p in parameters}
        evaluating = {id(p) for m in modules if not m.training for p in m.parameters()}
        for parameter in parameters:
            key, is_new = id(parameter), id(parameter) not in self._first
            late = self._found.get(key)
            if not parameter.requires_grad:
                self._frozen[key] = parameter
                if late is not None:
                    late.is_for_good = False
                continue
            is_late = is_new or key in self._frozen
            if is_late and key not in held and _grad.__get__(parameter) is not None:
                if late is None:
                    late = self._found[key] = _Late(parameter, asked_at(), is_new=is_new)
                late.updates += 1
                late.is_for_good &= key not in evaluating

    def records(
        self, modules: Iterable[nn.Module], held: Set[int], read: Set[int], *, is_whole: bool
    ) -> Iterator[Unfrozen]:
        """Yield those of each module of which an optimiser has held other parameters.

        ``read`` has the ids of the parameters whose gradients the script reads.
        """
        for module in modules:
            named = {name: id(parameter) for name, parameter in module.named_parameters()}
            found = {n: self._found[key] for n, key in named.items() if key in self._found}
            is_trained = id(module) in self._trained
            may_stay = not is_whole or not read.isdisjoint(named.values())
            names = [
                name
                for name, each in found.items()
                if named[name] not in held and each.stays
                if is_trained or (each.is_for_good and not may_stay)
            ]
            if names:
                first, model = found[names[0]], type(module).__name__
                yield Unfrozen(
                    at=first.at,
                    model=model,
                    names=(*names,),
                    updates=first.updates,
                    is_new=first.is_new,
                )
