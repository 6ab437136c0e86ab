"""Steps up to their losses: no gradient and no update comes of them."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext, suppress

import torch
from torch import Tensor

from symmetry.torch.graph import leaves_of
from symmetry.torch.modes.copy_on_write import CopyOnWrite
from symmetry.torch.parts.arrays import Arrays
from symmetry.torch.parts.step_events import TorchStepEvents
from symmetry.torch.raising import StepEnded
from symmetry.training.capabilities.rehearsing import Rehearsing
from symmetry.training.run import Run


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
