"""Inputs of the modules of a step, compared with their inputs in another run.

A batch of four samples is mixed with itself, ``(x + x.flip(0)) / 2``, before a model is called. In
a run whose sample 0 is another one, the model's rows 0 and 3 differ. If its labels are mixed in the
same way, the gradients of these two rows differ, too, once the model is given the same rows in both
runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from symmetry.observe.source_line import SourceLine
from symmetry.torch.trials.first_calls import FirstCall, RunParts, at_first_loss
from symmetry.torch.trials.mixing import ForwardOperations, copied_array, first_mixer
from symmetry.torch.watch.calls import ModuleCall, ModuleCalls, copied, hooked
from symmetry.torch.watch.operations import Recorder, tensors_in
from symmetry.training.trial import Mixer
from symmetry.units.compare import unequal
from symmetry.units.samples import rows_of
from symmetry.units.state import Array
from symmetry.units.units import Order


class TorchModuleInputs:
    """The inputs of the modules of a step; it is a ``ModuleInputs``.

    Parameters
    ----------
    calls
        The first outermost call of each module.
    loss
        The sum of the first loss.
    before
        The operations before the first call, if they were kept.
    """

    def __init__(
        self, calls: Sequence[FirstCall], loss: float, before: ForwardOperations | None
    ) -> None:
        self.calls, self.loss, self._before = calls, loss, before

    @property
    def place(self) -> SourceLine:
        """The user's line of the first call."""
        return self.calls[0].place

    @cached_property
    def _arrays(self) -> list[Array]:
        tensors = (tensor for call in self.calls for tensor in tensors_in(call.arguments))
        return [*map(copied_array, tensors)]

    def reaches(self, count: int) -> bool:
        """Return whether as many rows are given as a batch has samples."""
        numbers = [array for array in self._arrays if array.ndim]
        return bool(numbers) and all(rows_of(array, count) is not None for array in numbers)

    def follows(self, other: TorchModuleInputs, order: Order) -> bool:
        """Return whether it is what another run gives, with its rows in this order."""
        mine, others = self._arrays, other._arrays
        if [a.shape for a in mine] != [b.shape for b in others]:
            return False
        for a, b in zip(mine, others, strict=True):
            rows, moved = rows_of(a, len(order)), rows_of(b, len(order))
            if rows is not None and moved is not None:
                a, b = rows, moved[order]
            if unequal(a, b).any():
                return False
        return True

    def rows(self, other: TorchModuleInputs, count: int) -> frozenset[int]:
        """Return the samples whose rows differ between two runs."""
        return _rows(self._arrays, other._arrays, count)

    def mixer(self, other: TorchModuleInputs, count: int, sample: int) -> Mixer | None:
        """Return what first takes samples together before the first call."""
        if self._before is None or other._before is None:
            return None
        return first_mixer(count, sample, self._before.operations, other._before.operations)


class TorchSlopes:
    """The gradients of a first loss with respect to what modules return; it is a ``Slopes``."""

    def __init__(self, gradients: Sequence[Array]) -> None:
        self._gradients = gradients

    def rows(self, other: TorchSlopes, count: int) -> frozenset[int]:
        """Return the samples whose gradients differ between two runs."""
        return _rows(self._gradients, other._gradients, count)


def module_inputs(run: RunParts, *, operations: bool) -> TorchModuleInputs:
    """Take the next step up to its first loss; return what its modules are given."""
    before = ForwardOperations() if operations else None
    found = TorchModuleInputs((), 0.0, before)

    def use(calls: list[FirstCall], loss: Tensor) -> None:
        found.calls, found.loss = calls, float(loss.detach().double().sum())

    with nullcontext() if before is None else Recorder(before):
        at_first_loss(run, use, begins=_pausing(before))
    return found


def is_divided(run: RunParts, count: int) -> bool:
    """Take two steps; return whether modules get some rows of a batch, and later all the others.

    They get these without gradients: the step learns from one part, and is evaluated on the rest.
    """
    numbers: dict[bool, set[int]] = {True: set(), False: set()}

    def enter(_module: Any, args: Any, kwargs: Any) -> None:
        rows = {len(tensor) for tensor in tensors_in((args, kwargs)) if tensor.ndim}
        numbers[torch.is_grad_enabled()] |= rows

    with hooked(run.model.modules(), enter):
        run.step()
        run.step()
    return any(0 < rows < count and count - rows in numbers[False] for rows in numbers[True])


def slopes(run: RunParts, others: TorchModuleInputs) -> TorchSlopes:
    """Take the next step up to its first loss, with what another run gives its modules."""
    inputs = {call.number: call.arguments for call in others.calls}
    outputs: list[Tensor] = []
    found: list[Array] = []

    def before(call: ModuleCall) -> Any:
        return copied(inputs[call.number]) if call.number in inputs else None

    def after(call: ModuleCall, output: Any) -> None:
        if call.number in inputs:
            outputs.extend(t for t in tensors_in(output) if t.requires_grad)

    def use(_calls: list[FirstCall], loss: Tensor) -> None:
        if loss.requires_grad and outputs:
            gradients = torch.autograd.grad(loss.sum(), outputs, allow_unused=True)
            found.extend(copied_array(g) for g in gradients if g is not None)

    with ModuleCalls(run.model, before=before, after=after).hooked():
        at_first_loss(run, use)
    return TorchSlopes(found)


def _pausing(operations: ForwardOperations | None) -> Callable[[], None]:
    def pause() -> None:
        if operations is not None:
            operations.paused = True

    return pause


def _rows(mine: Sequence[Array], others: Sequence[Array], count: int) -> frozenset[int]:
    return frozenset(row for a, b in zip(mine, others, strict=False) for row in _moved(a, b, count))


def _moved(a: Array, b: Array, count: int) -> Iterator[int]:
    """Yield the samples at which two arrays differ; none where it is not known which rows."""
    rows, others = rows_of(a, count), rows_of(b, count)
    if a.shape != b.shape or rows is None or others is None:
        return
    yield from (row for row in range(count) if unequal(rows[row], others[row]).any())
