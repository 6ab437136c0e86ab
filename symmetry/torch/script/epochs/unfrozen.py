"""Parameters that a script unfreezes after its first update, and that no optimiser holds.

Example: a backbone is frozen, and the optimiser made of what requires a gradient.

    optimizer = Adam(p for p in model.parameters() if p.requires_grad)
    ...
    model.backbone.requires_grad_(True)    the optimiser does not hold it: it stays as it is
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Set
from typing import Any

import torch
from torch import Tensor, nn

from symmetry.observe.source_line import SourceLine, asked_at
from symmetry.training.events import Unfrozen

_grad: Any = Tensor.grad


class _Unfrozen:
    """A parameter, its numbers at the first update with a gradient, and those updates."""

    def __init__(self, parameter: Tensor, at: SourceLine) -> None:
        self.parameter, self.at, self.updates = parameter, at, 0
        self.before = parameter.detach().clone()

    @property
    def stays(self) -> bool:
        """Whether nothing has moved it."""
        return bool(torch.equal(self.parameter, self.before))


class UnfrozenParameters:
    """Sees which parameters are frozen at an update, and have gradients at later ones."""

    def __init__(self) -> None:
        self._frozen: dict[int, Tensor] = {}
        self._found: dict[int, _Unfrozen] = {}

    def look(self, modules: Iterable[nn.Module], held: Set[int]) -> None:
        """See the parameters of all modules before an update; optimisers hold those of some ids."""
        for parameter in (p for module in modules for p in module.parameters()):
            key = id(parameter)
            if not parameter.requires_grad:
                self._frozen[key] = parameter
            elif key in self._frozen and key not in held and _grad.__get__(parameter) is not None:
                if key not in self._found:
                    self._found[key] = _Unfrozen(parameter, asked_at())
                self._found[key].updates += 1

    def records(self, modules: Iterable[nn.Module], held: Set[int]) -> Iterator[Unfrozen]:
        """Yield those of each module of which an optimiser holds other parameters."""
        for module in modules:
            named = {name: id(parameter) for name, parameter in module.named_parameters()}
            found = {n: self._found[key] for n, key in named.items() if key in self._found}
            names = [n for n, each in found.items() if named[n] not in held and each.stays]
            if names and not held.isdisjoint(named.values()):
                first, model = found[names[0]], type(module).__name__
                yield Unfrozen(at=first.at, model=model, names=(*names,), updates=first.updates)
