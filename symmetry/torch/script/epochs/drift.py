"""Running statistics that move although the parameters of their module are frozen."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from symmetry.observe.source_line import SourceLine


class Drift:
    """Remembers frozen modules with running statistics as they were when they were first called."""

    def __init__(self) -> None:
        self._first: dict[int, tuple[nn.Module, list[Tensor], list[Tensor]]] = {}
        self._called: dict[int, SourceLine] = {}

    def see(self, model: nn.Module, at: SourceLine) -> None:
        """Look at a model that is about to be called."""
        for module in _frozen(model):
            if module.training:
                if id(module) not in self._first:
                    self._first[id(module)] = module, _copies(module.parameters()), _moving(module)
                self._called.setdefault(id(module), at)

    def of(self, model: nn.Module) -> tuple[tuple[str, ...], SourceLine | None]:
        """Return the names of statistics that have moved alone, and where the model was called."""
        names = [name for name, module in model.named_modules() if self._moved(module)]
        called = (self._called[id(m)] for m in model.modules() if self._moved(m))
        return tuple(names), next(called, None)

    def _moved(self, module: nn.Module) -> bool:
        if id(module) not in self._first or module not in _frozen(module):
            return False
        _, parameters, statistics = self._first[id(module)]
        same = all(map(torch.equal, parameters, module.parameters()))
        return same and not all(map(torch.equal, statistics, _moving(module)))


def _frozen(model: nn.Module) -> list[Any]:
    """Return the modules whose parameters are all frozen, and that keep running statistics."""
    return [
        module
        for module in model.modules()
        if isinstance(module, nn.modules.batchnorm._NormBase) and module.track_running_stats
        if module.affine and not any(p.requires_grad for p in module.parameters())
    ]


def _copies(tensors: Any) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in tensors]


def _moving(module: nn.Module) -> list[Tensor]:
    return _copies(t for t in (module.running_mean, module.running_var) if t is not None)
