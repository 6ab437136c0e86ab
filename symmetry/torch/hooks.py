"""What a run sees of its steps: the losses, backwards and updates; and steps without a backward."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch
from weakref import proxy

import torch
from torch import Tensor, nn

from symmetry.base.errors import TrainingError
from symmetry.torch.arrays import Arrays
from symmetry.torch.graph import leaves_of
from symmetry.torch.modes.copy_on_write import CopyOnWrite
from symmetry.torch.modes.scope import ModuleScope
from symmetry.torch.objects import Objects, can_be_hooked
from symmetry.torch.rates import Rates


class StepEnded(TrainingError):  # noqa: N818
    """Ends a step where it is; it passes through like any error of a training."""


class Rehearsal:
    """A step without any backward, so that no gradient and no update comes of it.

    Parameters
    ----------
    backwards, grads
        The call of backward, or without any that of ``torch.autograd.grad``, at which it ends.
    gradient
        What is left in each entry of the gradients; None leaves none.
    frozen
        A step that goes on to its end writes into nothing more that this mode is given; None ends
        it.
    """

    def __init__(
        self, backwards: int, grads: int, gradient: float | None, frozen: CopyOnWrite | None
    ) -> None:
        self._backwards, self._grads = backwards, 0 if backwards else grads
        self._gradient, self._frozen = gradient, frozen

    def backward(self, number: int, held: Arrays, losses: Iterable[Tensor]) -> None:
        """Leave gradients where none are, as a backward does; end the step at its last one.

        The step may take a step along those of its inputs: they get some in any case.
        """
        if number == self._backwards:
            self._end(held)
        parameters = {id(parameter) for parameter in held.parameters.values()}
        for leaf in leaves_of(losses):
            if id(leaf) not in parameters and leaf.grad is None:
                leaf.grad = torch.ones_like(leaf)
        for parameter in held.parameters.values() if self._gradient is not None else ():
            if parameter.requires_grad and parameter.grad is None:
                parameter.grad = torch.full_like(parameter, self._gradient)

    def grad(self, number: int, held: Arrays) -> bool:
        """End the step at its last call; return whether a call's results are replaced by zeros."""
        if number == self._grads:
            self._end(held)
        return self._grads > 0

    def _end(self, held: Arrays) -> None:
        """End a step, or let it write into nothing more."""
        if self._frozen is None:
            raise StepEnded
        self._frozen.add(held.tensors().values())


class Hooked(Arrays):
    """Sees the losses, backwards and updates of a step, and calls whoever wants to know.

    Attributes
    ----------
    losses
        The tensors that the last step called backward on, in this order; without any, those that
        ``torch.autograd.grad`` differentiated by parameters, or the one that the step returned.
    optimizers
        The optimisers by name, in the order in which they were made.
    """

    def __init__(
        self, objects: Objects, parameters: Mapping[str, nn.Parameter], inside: ModuleScope
    ) -> None:
        super().__init__(objects, parameters)
        self.updates = self.backwards = self.grads = 0
        self.pending = False
        self.losses: list[Tensor] = []
        self.on_loss: Callable[[Any], None] = lambda _: None
        self.after_backward: Callable[[], None] = lambda: None
        self.before_update: Callable[[Any], None] = lambda _: None
        self.after_update: Callable[[Any], None] = lambda _: None
        self._differentiated: list[Tensor] = []
        self._rehearsal: Rehearsal | None = None
        self._inside = inside
        self._names = {id(parameter): name for name, parameter in parameters.items()}
        self.optimizers = {n: Rates(o, self._names) for n, o in objects.optimizers.items()}

    @property
    def loss(self) -> float | None:
        """The sum of the last step's losses; None if it had none."""
        return sum(self.loss_sums()) if self.losses else None

    def loss_sums(self) -> list[float]:
        """Return the sum of all entries of each loss of the last step."""
        return [float(loss.detach().double().sum()) for loss in self.losses]

    def _step_begins(self) -> None:
        self.losses, self.backwards, self._differentiated, self.grads = [], 0, [], 0

    def _step_ends(self, returned: Any) -> None:
        """Take what was differentiated or returned for losses, if backward was never called."""
        if not self.losses:
            one = isinstance(returned, Tensor) and returned.numel() == 1
            self.losses = self._differentiated or ([returned] if one else [])
            for loss in self.losses:
                self.on_loss(loss)

    @contextmanager
    def _hooks(self) -> Iterator[None]:
        """Let nothing pass by unseen: losses, and updates by optimisers."""
        optimizers = self.objects.optimizers.values()
        run = proxy(self)  # a script that is suspended in an update keeps what it has called
        with ExitStack() as stack:
            for name, seen in (("backward", self._seen_backward), ("grad", self._seen_grad)):
                hooked = seen(getattr(torch.autograd, name))
                stack.enter_context(patch.object(torch.autograd, name, hooked))
            for optimizer in filter(can_be_hooked, optimizers):
                before = optimizer.register_step_pre_hook(lambda o, *_: run._updates(o))
                after = optimizer.register_step_post_hook(lambda o, *_: run._updated(o))
                stack.callback(before.remove)
                stack.callback(after.remove)
            for kind in {type(o) for o in optimizers if not can_be_hooked(o)}:
                if callable(getattr(kind, "step", None)):  # one of the user's own
                    stack.enter_context(patch.object(kind, "step", self._seen_step(kind.step)))
            yield

    def _seen_backward(self, backward: Callable[..., Any]) -> Callable[..., None]:
        @wraps(backward)
        def seen_backward(tensors: Any, *args: Any, **kwargs: Any) -> None:
            for loss in _tensors(tensors):
                self.on_loss(loss)
                self.losses.append(loss)
            self.backwards += 1
            if self._rehearsal is not None:
                self._rehearsal.backward(self.backwards, self, _tensors(tensors))
                return
            self.pending = True
            with self._inside.entered():
                backward(tensors, *args, **kwargs)
            self._reached.update(n for n, p in self.parameters.items() if p.grad is not None)
            self.after_backward()

        return seen_backward

    def _seen_grad(self, grad: Callable[..., Any]) -> Callable[..., Any]:
        inner = False  # a function mode calls it again

        @wraps(grad)  # a function mode sees it by its name
        def seen_grad(outputs: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal inner
            if inner:
                return grad(outputs, inputs, *args, **kwargs)
            losses = [output for output in _tensors(outputs) if output.numel() == 1]
            if losses and not self._names.keys().isdisjoint(map(id, _tensors(inputs))):
                self._differentiated += losses
                self.grads += 1
                replaced = self._rehearsal is not None and self._rehearsal.grad(self.grads, self)
                if replaced and not kwargs.get("create_graph"):
                    return tuple(map(torch.zeros_like, _tensors(inputs)))
            inner = True
            try:
                return grad(outputs, inputs, *args, **kwargs)
            finally:
                inner = False

        return seen_grad

    def _seen_step(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def seen_step(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            self._updates(optimizer)
            try:
                return step(optimizer, *args, **kwargs)
            finally:
                self._updated(optimizer)

        return seen_step

    def _updates(self, optimizer: Any) -> None:
        self.pending = self.pending or _reads_first(optimizer)
        self.before_update(self._seen_as(optimizer))

    def _updated(self, optimizer: Any) -> None:
        self.updates += 1
        self.pending = False
        self.after_update(self._seen_as(optimizer))

    def _seen_as(self, optimizer: Any) -> Rates:
        """Return what others know of an optimiser; it may be one that is nobody's by name."""
        known = (o for o in self.optimizers.values() if o.optimizer is optimizer)
        return next(known, None) or Rates(optimizer, self._names)


def _tensors(one_or_more: Any) -> tuple[Tensor, ...]:
    return (one_or_more,) if isinstance(one_or_more, Tensor) else tuple(one_or_more)


def _reads_first(optimizer: Any) -> bool:
    """Return whether an update may read the optimiser's state before it calls its closure.

    PyTorch's own do not, but for one.
    """
    kind = type(optimizer)
    return kind is torch.optim.LBFGS or not kind.__module__.startswith("torch.optim.")
