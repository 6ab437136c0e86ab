"""Steps of a PyTorch run with a supposed mistake undone: see ``Undoing``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakIdKeyDictionary

from symmetry.observe.source_line import users_line
from symmetry.torch.graph import leaves_of, nodes_of
from symmetry.torch.probes.flowing import NUMBERS, operation_of
from symmetry.torch.watch.calls import hooked
from symmetry.training.capabilities.flowing import Cut, CutTensors, Undoing
from symmetry.training.capabilities.step_events import StepEvents

_LAYERS = nn.Linear | nn.modules.conv._ConvNd
_FEW = 20  # numbers of a weight, of which the largest one says little about their distribution
_NEAR = 0.8  # of the bound of a uniform distribution: the largest of 20 numbers is below it in 1 %


class TorchUndoing(Undoing):
    """Undoes parts of the steps of one run.

    Parameters
    ----------
    model, parameters
        What is trained, and its parameters by name.
    events
        Those of the run.
    step
        Takes a step.
    """

    def __init__(
        self,
        model: nn.Module,
        parameters: Mapping[str, nn.Parameter],
        events: StepEvents,
        step: Callable[[], Any],
    ) -> None:
        self._model, self._parameters, self._events = model, parameters, events
        self._step = step

    def cutting(self, cut: Cut) -> AbstractContextManager[CutTensors]:
        """See what an operation cuts off."""
        return self._at(cut, undo=False)

    def without(self, cut: Cut) -> AbstractContextManager[CutTensors]:
        """Let an operation hand on the tensors that it cuts off."""
        return self._at(cut, undo=True)

    @contextmanager
    def _at(self, cut: Cut, *, undo: bool) -> Iterator[CutTensors]:
        found, made = CutTensors(), set[Any]()

        def on_loss(loss: Tensor) -> None:
            found.is_used |= not made.isdisjoint(nodes_of([loss]))

        with _Operation(cut, found, made, undo=undo), self._events.listening(on_loss=on_loss):
            yield found

    def is_on_the_way(self, network: str) -> bool:
        """Return whether other parameters get gradients through a network in training mode."""
        module, found = self._model.get_submodule(network), list[bool]()
        own = {id(p) for p in module.parameters()}
        others = {id(p) for p in self._parameters.values()} - own

        def enter(called: nn.Module, args: Any, kwargs: Any) -> None:
            given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
            leaves = leaves_of([t for t in given if t.grad_fn is not None])
            found.append(called.training and any(id(leaf) in others for leaf in leaves))

        with hooked([module], enter=enter):
            self._step()
        return bool(found) and all(found)

    def is_initial(self, network: str) -> bool:
        """Return whether the weights of a network are as its layers initialise them."""
        layers = (m for m in self._model.get_submodule(network).modules() if isinstance(m, _LAYERS))
        initial = [_is_uniform(layer.weight.detach()) for layer in layers]
        return bool(initial) and all(initial)


class _Operation(TorchFunctionMode):
    """An operation at a line: it is seen, and hands its tensor on where it is undone."""

    def __init__(self, cut: Cut, found: CutTensors, made: set[Any], *, undo: bool) -> None:
        super().__init__()
        self._cut, self._found, self._made, self._undo = cut, found, made, undo
        self._handed = WeakIdKeyDictionary()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = [t for t in tree_leaves(args[:1]) if isinstance(t, Tensor) and t.requires_grad]
        if not (given and self._is_cut(func, args)):
            return func(*args, **(kwargs or {}))
        self._found.times += 1
        self._made.update(t.grad_fn for t in given if t.grad_fn is not None)
        if not self._undo:
            return func(*args, **(kwargs or {}))
        handed = given[0].view_as(given[0]) if isinstance(args[0], Tensor) else torch.stack(given)
        self._handed[handed] = True
        return handed

    def _is_cut(self, func: Any, args: Sequence[Any]) -> bool:
        """Return whether a function is the operation, or copies numbers that it has handed on."""
        operation = operation_of(func)
        if operation == self._cut.operation and users_line() == self._cut.place:
            return True
        return operation in NUMBERS and isinstance(args[0], Tensor) and args[0] in self._handed


def _is_uniform(weight: Tensor) -> bool:
    """Return whether numbers fill the bounds that layers of PyTorch draw their weights in."""
    bound, largest = weight[0].numel() ** -0.5, float(weight.abs().max())
    return weight.numel() >= _FEW and bool(_NEAR * bound < largest < bound * (1 + 1e-5))
