"""How the losses of a PyTorch run depend on its parameters: see ``Flowing``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from torch import Tensor, nn

from symmetry.torch.graph import nodes_of
from symmetry.torch.probes.flow import FlowMode
from symmetry.torch.probes.layout import PermutingViews
from symmetry.training.capabilities.flowing import Flowing
from symmetry.training.capabilities.step_events import StepEvents

_OPERATION = re.compile(r"Backward\d*$")


class TorchFlowing(Flowing):
    """Sees the steps of one run that are taken while one of its blocks runs.

    Parameters
    ----------
    model, parameters
        What is trained, and its parameters by name.
    events
        Those of the run.
    """

    def __init__(
        self, model: nn.Module, parameters: Mapping[str, nn.Parameter], events: StepEvents
    ) -> None:
        self._model, self._parameters, self._events = model, parameters, events

    @contextmanager
    def followed(self, names: frozenset[str]) -> Iterator[FlowMode]:
        """Follow the parameters of these names."""
        flow = FlowMode(p for name, p in self._parameters.items() if name in names)
        with flow, self._events.listening(on_loss=flow.on_loss):
            yield flow

    def permuting_views(self) -> PermutingViews:
        """See the views that name axes in another order."""
        return PermutingViews()

    @contextmanager
    def first_not_finite(self) -> Iterator[list[str]]:
        """Collect the operation whose derivative makes the first number that is not finite."""
        found = list[str]()

        def see(name: str, made: Iterable[Tensor | None], given: Iterable[Tensor | None]) -> None:
            if not found and _finite(given) and not _finite(made):
                found.append(_OPERATION.sub("", name).lower())

        def hook(loss: Tensor) -> None:
            for node in nodes_of([loss]):
                node.register_hook(partial(see, node.name()))

        with self._events.listening(on_loss=hook):
            yield found

    @property
    def repeated_modules(self) -> tuple[str, ...]:
        """Paths of modules with parameters that one container holds several times."""
        found: list[str] = []
        for path, container in self._model.named_modules():
            if not isinstance(container, nn.Sequential | nn.ModuleList):
                continue
            seen: set[int] = set()
            for name, module in container._modules.items():
                trained = module is not None and any(True for _ in module.parameters())
                if trained and id(module) in seen:
                    found.append(f"{path}.{name}".strip("."))
                seen.add(id(module))
        return tuple(found)

    def networks(self) -> tuple[str, ...]:
        """Return the paths of several networks of their own, which are in an ``nn.ModuleDict``."""
        own = isinstance(self._model, nn.ModuleDict)
        return tuple(f"model.{name}." for name, _ in self._model.named_children()) if own else ()


def _finite(gradients: Iterable[Tensor | None]) -> bool:
    return all(bool(g.isfinite().all()) for g in gradients if g is not None)
