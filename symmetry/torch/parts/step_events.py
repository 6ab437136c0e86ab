"""Hooks on the losses, backwards and updates of a step: its events, and its boundaries."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, Protocol
from weakref import proxy

import torch
from torch import Tensor, nn

from symmetry.base.patches import outermost, patched
from symmetry.torch.modes.scope import ModuleScope
from symmetry.torch.parts.model import TorchOptimizers
from symmetry.torch.watch.steps import updates_of
from symmetry.training.capabilities.step_events import StepEvents


class Replacement(Protocol):
    """A substitute for the gradients of a step: see ``rehearsal``."""

    def backward(self, number: int, losses: Iterable[Tensor]) -> None:
        """Do what a call of backward is to do, given its number in the step, from 1."""
        ...

    def grad(self, number: int) -> bool:
        """Return whether zeros are to be returned by a call of ``torch.autograd.grad``."""
        ...


class TorchStepEvents(StepEvents):
    """Hooks ``backward``, ``autograd.grad`` and every optimiser's ``step``."""

    def __init__(
        self,
        parameters: Mapping[str, nn.Parameter],
        optimizers: TorchOptimizers,
        scope: ModuleScope,
    ) -> None:
        super().__init__()
        # The tensors that the last step called backward on, in this order; without any, those that
        # ``torch.autograd.grad`` differentiated by parameters, or the one that the step returned.
        self.losses: list[Tensor] = []
        # Those that ``torch.autograd.grad`` has differentiated by parameters.
        self.differentiated: list[Tensor] = []
        self.reached: set[str] = set()  # the parameters that have received a gradient by now
        # Takes the place of gradients; None leaves them as they are.
        self.replacement: Replacement | None = None
        self._parameters, self._optimizers, self._scope = parameters, optimizers, scope

    @property
    def loss(self) -> float | None:
        """The sum of the last step's losses; None if it had none."""
        return sum(self.loss_sums()) if self.losses else None

    def loss_sums(self) -> list[float]:
        """Return the sum of all entries of each loss of the last step."""
        return [float(loss.detach().double().sum()) for loss in self.losses]

    def step_begins(self) -> None:
        """Forget the losses of the step before."""
        self.losses, self.backwards, self.differentiated, self.grads = [], 0, [], 0

    def step_ends(self, returned: Any) -> None:
        """Take what was differentiated or returned for losses, if backward was never called."""
        if not self.losses:
            one = isinstance(returned, Tensor) and returned.numel() == 1
            self.losses = self.differentiated or ([returned] if one else [])
            for loss in self.losses:
                self.emit("on_loss", loss)

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """Count and call while the block runs."""
        backward, grad = torch.autograd.backward, torch.autograd.grad
        patches = (
            (torch.autograd, "backward", outermost(backward, self._seen_backward(backward))),
            (torch.autograd, "grad", outermost(grad, self._seen_grad(grad))),
        )
        optimizers = (each.optimizer for each in self._optimizers.optimizers.values())
        events = proxy(self)  # a script that is suspended in an update keeps what it has called
        before, after = lambda o: events._updates(o), lambda o: events._updated(o)
        with patched(patches), updates_of(optimizers, before, after):
            yield

    def _seen_backward(self, backward: Callable[..., Any]) -> Callable[..., None]:
        @wraps(backward)
        def seen_backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
            for loss in _tensors(tensors):
                self.emit("on_loss", loss)
                self.losses.append(loss)
            self.backwards += 1
            if self.replacement is not None:
                self.replacement.backward(self.backwards, _tensors(tensors))
                return
            self.pending = True
            with self._scope.entered():
                backward(tensors, *args, **kwargs)
            self.reached.update(n for n, p in self._parameters.items() if p.grad is not None)
            self.emit("after_backward")

        return seen_backward

    def _seen_grad(self, grad: Callable[..., Any]) -> Callable[..., Any]:
        inner = False  # a function mode calls it again

        @wraps(grad)  # a function mode sees it by its name
        def seen_grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal inner
            if inner:
                return grad(outputs, inputs, *args, **kwargs)
            losses = [output for output in _tensors(outputs) if output.numel() == 1]
            if losses and not self._optimizers.names.keys().isdisjoint(map(id, _tensors(inputs))):
                self.differentiated += losses
                self.grads += 1
                replaced = self.replacement is not None and self.replacement.grad(self.grads)
                if replaced and not kwargs.get("create_graph"):
                    return tuple(map(torch.zeros_like, _tensors(inputs)))
            inner = True
            try:
                return grad(outputs, inputs, *args, **kwargs)
            finally:
                inner = False

        return seen_grad

    def _updates(self, optimizer: Any) -> None:
        self.pending = self.pending or _reads_first(optimizer)
        self.emit("before_update", self._optimizers.of(optimizer))

    def _updated(self, optimizer: Any) -> None:
        self.updates += 1
        self.pending = False
        self.emit("after_update", self._optimizers.of(optimizer))


def _tensors(one_or_more: Any) -> tuple[Tensor, ...]:
    return (one_or_more,) if isinstance(one_or_more, Tensor) else tuple(one_or_more)


def _reads_first(optimizer: Any) -> bool:
    """Return whether an update may read the optimiser's state before it calls its closure.

    PyTorch's own do not, but for one.
    """
    kind = type(optimizer)
    return kind is torch.optim.LBFGS or not kind.__module__.startswith("torch.optim.")
