"""Steps up to their losses, of which no gradient and no update comes, and their traces."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from contextlib import nullcontext, suppress
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from symmetry.torch.graph import leaves_of
from symmetry.torch.modes.dtypes import mapped
from symmetry.torch.parts.arrays import Arrays
from symmetry.torch.parts.step_events import TorchStepEvents
from symmetry.torch.raising import StepEnded
from symmetry.torch.state import as_array, memory_of
from symmetry.torch.trace import Tracer
from symmetry.torch.watch.operations import Recorder
from symmetry.training.capabilities.observing import Rehearsing, Tracing
from symmetry.training.run import Run
from symmetry.training.trace import Trace, weights
from symmetry.units.state import Array


class CopyOnWrite(TorchDispatchMode):
    """Protects some tensors: operations that would write into one write into a copy."""

    def __init__(self, tensors: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self._memories: set[int] = set()
        self.add(tensors)

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Protect these, too."""
        self._memories |= {memory_of(tensor) for tensor in tensors}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func._schema.is_mutable:
            args = mapped(self._copied, args)
            kwargs = {name: mapped(self._copied, value) for name, value in kwargs.items()}
        return func(*args, **kwargs)

    def _copied(self, value: Any) -> Any:
        if isinstance(value, Tensor) and memory_of(value) in self._memories:
            return value.clone()
        return value


class StepRehearsal:
    """Takes the place of backward in one step.

    Parameters
    ----------
    backwards, grads
        The step ends at this call of backward; without one, at this call of
        ``torch.autograd.grad``.
    gradient
        The value of each entry of the gradients; None leaves no gradients.
    arrays
        The arrays of the run.
    frozen
        Lets the step go on to its end, with writes into copies only; None ends the step.
    """

    def __init__(
        self,
        backwards: int,
        grads: int,
        gradient: float | None,
        arrays: Arrays,
        frozen: CopyOnWrite | None,
    ) -> None:
        self._backwards, self._grads = backwards, 0 if backwards else grads
        self._gradient, self._arrays, self._frozen = gradient, arrays, frozen

    def backward(self, number: int, losses: Iterable[Tensor]) -> None:
        """Fill in gradients that are missing; end the step at the last call of backward.

        Inputs get gradients in any case, since the step may move along them.
        """
        if number == self._backwards:
            self._end()
        parameters = {id(parameter) for parameter in self._arrays.parameters.values()}
        for leaf in leaves_of(losses):
            if id(leaf) not in parameters and leaf.grad is None:
                with _disable_current_modes():  # in the dtype of the leaf
                    leaf.grad = torch.ones_like(leaf)
        for parameter in self._arrays.parameters.values() if self._gradient is not None else ():
            if parameter.requires_grad and parameter.grad is None:
                parameter.grad = torch.full_like(parameter, self._gradient)

    def grad(self, number: int) -> bool:
        """End the step at its last call; return whether a call's results are replaced by zeros."""
        if number == self._grads:
            self._end()
        return self._grads > 0

    def _end(self) -> None:
        """End a step, or let it write into nothing more."""
        if self._frozen is None:
            raise StepEnded
        self._frozen.add(self._arrays.tensors().values())


class TorchRehearsing(Rehearsing):
    """Rehearses steps of a run.

    A step ends when it calls backward for the last time, or without any backward
    ``torch.autograd.grad``: what it does to its parameters afterwards is not done. Without both it
    goes to its end, and does not write into its parameters.
    """

    def __init__(self, run: Run, arrays: Arrays, events: TorchStepEvents) -> None:
        self._run, self._arrays, self._events = run, arrays, events

    def rehearse(
        self, backwards: int, grads: int, gradient: float | None = None, *, whole: bool = False
    ) -> None:
        """Take the next step up to its losses, so that no gradient and no update comes of it."""
        run, events, parameters = self._run, self._events, self._arrays.parameters.values()
        taken, ends = run.taken, bool(backwards or grads)
        kept = [(parameter, parameter.data) for parameter in parameters if whole]
        frozen = CopyOnWrite(p for p in parameters if p.requires_grad and not ends)
        events.replacement = StepRehearsal(
            backwards, grads, gradient, self._arrays, frozen if whole else None
        )
        try:
            with suppress(StepEnded), nullcontext() if ends and not whole else frozen:
                run.step()
        finally:
            events.replacement = None
            for parameter, data in kept:
                parameter.data = data
        events.losses = events.losses or events.differentiated
        run.taken = taken + 1

    def loss_sums(self) -> list[float]:
        """Return the sum of all entries of each loss of the last step."""
        return self._events.loss_sums()


class TorchTracing(Tracing):
    """Records the operations of a run's steps."""

    def __init__(self, arrays: Arrays, events: TorchStepEvents) -> None:
        self._arrays, self._events = arrays, events

    def leaves(self, names: Container[str] | None = None) -> dict[str, Array]:
        """Return copies of the model's parameters and buffers, or of the ones with these names."""
        return {name: as_array(tensor) for name, tensor in self._arrays.leaves(names).items()}

    def trace(self, names: Container[str], step: Callable[[], None], steps: int) -> Trace:
        """Return the trace of several steps, each taken by a call of ``step``."""
        tracer = Tracer(self._arrays.leaves(names))
        losses: list[Tensor] = []
        with Recorder(tracer):
            for _ in range(steps):
                step()
                losses += self._events.losses
        weighted = [*zip(losses, weights(len(losses)), strict=True)]
        return tracer.end(weighted, self._arrays.leaves(names))
