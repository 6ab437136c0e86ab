"""Taking one step of a training again and again, up to its losses: in float64 and without noise."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any
from unittest import mock

import numpy as np
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.errors import SymmetryError
from symmetry.observe.torch import Recorder, tensors_in
from symmetry.targets.finding.trace import Trace, to_array
from symmetry.targets.precision import promoted
from symmetry.units.state import Array, State


class Losses:
    """What backward is asked for; backward itself is not performed."""

    def __init__(self) -> None:
        self.terms: list[tuple[torch.Tensor, float]] = []
        self._calls = 0

    def backward(self, tensors: Any, grad_tensors: Any = None, *_: Any, **others: Any) -> None:
        """Stand in for ``torch.autograd.backward``."""
        tensors, grads = tensors_in(tensors), tensors_in(grad_tensors)
        self.add(*(t * g for t, g in zip(tensors, grads, strict=True)) if grads else tensors)

    def add(self, *tensors: torch.Tensor) -> None:
        """Add the tensors of one call; each call has a weight of its own."""
        self.terms += [(tensor, 1 / (1 + 0.37 * self._calls)) for tensor in tensors]
        self._calls += 1


class Rehearsal:
    """A training whose steps can be taken up to their losses, from any start.

    Attributes
    ----------
    leaves
        The floating-point parameters and buffers, converted to float64, by their state names.
    trainable
        The names of those that require a gradient.
    """

    def __init__(self, model: torch.nn.Module, step: Callable[[int], Any]) -> None:
        self._step = step
        model.double()
        parameters, buffers = dict(model.named_parameters()), dict(model.named_buffers())
        self.leaves = {
            f"model.{name}": tensor
            for name, tensor in {**parameters, **buffers}.items()
            if tensor.is_floating_point()
        }
        self.trainable = {f"model.{n}" for n, p in parameters.items() if p.requires_grad}
        self.buffers = [f"model.{n}" for n in buffers if f"model.{n}" in self.leaves]

    def state(self) -> dict[str, Array]:
        """Return a copy of what the leaves hold."""
        return {name: to_array(tensor).copy() for name, tensor in self.leaves.items()}

    def load(self, state: State) -> None:
        """Let the leaves hold these arrays."""
        with torch.no_grad():
            for name, array in state.items():
                self.leaves[name].copy_(torch.from_numpy(np.ascontiguousarray(array)))

    def evaluate(self, start: State, i: int) -> tuple[float, dict[str, Array]]:
        """Return the loss of step ``i`` from a start, and the buffers after it.

        Raises
        ------
        SymmetryError
            When the step has no loss.
        """
        self.load(start)
        losses = self._take(i)
        loss = sum(float(t.detach().double().sum()) * weight for t, weight in losses.terms)
        return loss, {name: to_array(self.leaves[name]).copy() for name in self.buffers}

    def trace(self, start: State, i: int) -> tuple[Trace, int]:
        """Return the trace of step ``i`` from a start, and the number of the loss in it."""
        self.load(start)
        trace = Trace(self.leaves)
        losses = self._take(i, Recorder(trace, undeclared=True))
        loss = trace.add_sum(losses.terms)
        return trace, loss

    def _take(self, i: int, *modes: TorchDispatchMode) -> Losses:
        torch.manual_seed(i)
        losses = Losses()
        with ExitStack() as stack:
            stack.enter_context(mock.patch("torch.autograd.backward", losses.backward))
            for mode in modes:
                stack.enter_context(mode)
            stack.enter_context(promoted())
            try:
                returned = self._step(i)
            except Exception as error:
                if not losses.terms:
                    raise
        if not losses.terms and isinstance(returned, torch.Tensor):
            losses.add(returned)
        if not losses.terms:
            raise SymmetryError("")
        return losses
