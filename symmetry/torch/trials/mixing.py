"""The first operation that mixes samples: all operations of two calls are compared in order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from symmetry.observe.source_line import SourceLine, users_line
from symmetry.torch.trials.differences import differs_within, moved
from symmetry.torch.trials.forward_operations import ForwardOperation, operations_of
from symmetry.torch.watch.calls import copied, hooked
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.trial import Mixer
from symmetry.units.samples import axes_of

_SOFTMAX = {"_softmax", "_log_softmax", "_safe_softmax"}
_VIEWS = {"view", "reshape", "_unsafe_view", "_reshape_alias"}
_MOVES = {"transpose", "permute", "t", "expand", "slice", "select", "unsqueeze", "squeeze", "clone"}
_MOVES |= {"detach", "alias", "_to_copy", "split", "chunk", "unbind", "cat", "stack", *_VIEWS}
_PRODUCTS = {"mm", "bmm", "addmm", "baddbmm", "mv", "_sparse_mm", "_sparse_addmm", "convolution"}
_SELECTS = {"nonzero", "index", "index_select", "index_add", "index_put", "gather", "scatter"}
_SELECTS |= {"scatter_add", "masked_select", "topk", "sort", "argsort", "cumsum", "cummax"}
_ATTENTION = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
_ORDERED = (nn.RNNBase, *_ATTENTION)  # their inputs have an axis of positions


_Input = tuple[nn.Module, Any, SourceLine]  # a layer, its tensors, and the user's line


class Mixing:
    """Looks for what first makes the outputs of a sample depend on another one.

    Parameters
    ----------
    count, sample
        How many samples there are, and which one differs.
    """

    def __init__(self, count: int, sample: int) -> None:
        self._count, self._sample = count, sample

    def first(
        self, module: nn.Module, own: Callable[[], Any], other: Callable[[], Any]
    ) -> Mixer | None:
        """Return what mixes first in two calls of a module; None if nothing does.

        Modules with an axis of positions are looked at before any operation is.
        """
        inputs, steps = _seen(module, own)
        other_inputs, other_steps = _seen(module, other)
        return self._misread(inputs, other_inputs) or self.among(steps, other_steps)

    def layout(
        self, module: nn.Module, own: Callable[[], Any], other: Callable[[], Any]
    ) -> Mixer | None:
        """Return the first layer that takes another axis for the samples; None if none does."""
        return self._misread(_seen(module, own)[0], _seen(module, other)[0])

    def among(
        self, steps: Sequence[ForwardOperation], others: Sequence[ForwardOperation]
    ) -> Mixer | None:
        """Return what mixes first among the operations of two calls.

        If the samples lie apart again later, as rows that were packed, nothing has mixed before.
        """
        first: Mixer | None = None
        view: Mixer | None = None  # it mixes if something is done with its rows
        for number, (step, changed) in enumerate(zip(steps, others, strict=False)):
            mixer = self._operation(step, changed)
            if mixer is None:
                if (first or view) and self._separates(step, changed):
                    first = view = None
                continue
            if first is not None:
                continue
            if all(later.name in _MOVES for later in steps[number + 1 :]):
                mixer = replace(mixer, is_last=True)
            if mixer.kind != "view":
                first = view if view and not self._apart(step, changed) else mixer
            view = view or mixer
        return first

    def _axes(self, a: Tensor, b: Tensor) -> list[int] | None:
        """Return the axes that the samples lie in; None if the tensors do not differ."""
        if a.shape != b.shape:
            return []
        found = moved(a, b)
        return axes_of(found, self._count, self._sample) if found.any() else None

    def _misread(self, inputs: Sequence[_Input], others: Sequence[_Input]) -> Mixer | None:
        for (layer, given, place), (_, changed, _) in zip(inputs, others, strict=False):
            mixer = self._layout(layer, given, changed, place)
            if mixer is not None:
                return mixer
        return None

    def _layout(
        self,
        module: nn.Module,
        given: Sequence[Tensor],
        others: Sequence[Tensor],
        place: SourceLine,
    ) -> Mixer | None:
        """Return a mixer if a module treats another axis as the samples."""
        taken = 0 if _batch_first(module) else 1
        for a, b in zip(given, others, strict=False):
            axes = self._axes(a, b) if a.ndim == 3 and a.is_floating_point() else None
            if axes is None:
                continue
            if axes != [1 - taken]:
                return None
            # Attention over samples may be meant, where they were brought to the axis of tokens.
            meant = isinstance(module, _ATTENTION) and (taken == 0 or a.shape[taken] == 1)
            kind = type(module).__name__
            shape = tuple(a.shape)
            return Mixer("other" if meant else "layout", kind, shape, taken, axes[0], False, place)
        return None

    def _operation(self, step: ForwardOperation, other: ForwardOperation) -> Mixer | None:
        """Return a mixer if a result of an operation depends on several samples."""
        if step.name != other.name or len(step.results) != len(other.results):
            return self._mixer("other", step, step.results)  # it goes another way
        for k, (a, b) in enumerate(zip(step.results, other.results, strict=True)):
            if self._axes(a, b) != [] or self._carries(step, other, a, b):
                continue
            if step.name in _VIEWS:
                return self._mixer("view", step, step.results[k:])
            axes = [self._axes(x, y) for x, y in zip(step.inputs, other.inputs, strict=False)]
            if step.name in _SOFTMAX and step.numbers[0] % a.ndim in (axes[0] or ()):
                return self._mixer("softmax", step, step.results[k:])
            constant = step.name in _PRODUCTS and any(found is None for found in axes)
            return self._mixer("other", step, step.results[k:], constant=constant)
        return None

    def _apart(self, step: ForwardOperation, other: ForwardOperation) -> bool:
        """Return whether an operation is given samples that still lie apart."""
        pairs = zip(step.inputs, other.inputs, strict=False)
        return all(self._axes(a, b) != [] for a, b in pairs)

    def _separates(self, step: ForwardOperation, other: ForwardOperation) -> bool:
        """Return whether samples that were mixed lie apart in the results of an operation."""
        pairs = zip(step.results, other.results, strict=True)
        apart = [self._axes(a, b) for a, b in pairs]
        return any(apart) and [] not in apart and not self._apart(step, other)

    def _carries(
        self, step: ForwardOperation, other: ForwardOperation, a: Tensor, b: Tensor
    ) -> bool:
        """Return whether an operation keeps mixed samples in place, or only moves them."""
        for x, y in zip(step.inputs, other.inputs, strict=False):
            if (
                a.shape == b.shape
                and self._axes(x, y) == []
                and (step.name in _MOVES or (x.shape == a.shape and differs_within(a, b, x, y)))
            ):
                return True
        return False

    def _mixer(
        self, kind: Any, step: ForwardOperation, made: Sequence[Tensor], *, constant: bool = False
    ) -> Mixer:
        shape = tuple(made[0].shape) if made else ()
        axis = step.numbers[0] % len(shape) if kind == "softmax" else 0
        operation = step.module or step.name.strip("_")
        by_position = constant or step.name.rstrip("_") in _SELECTS
        return Mixer(kind, operation, shape, axis, axis, by_position, step.place)


def _seen(
    module: nn.Module, call: Callable[[], Any]
) -> tuple[list[_Input], list[ForwardOperation]]:
    """Return the inputs of modules with an axis of positions, and all operations."""
    inputs: list[_Input] = []

    def before(layer: nn.Module, args: Any, kwargs: Any) -> None:
        inputs.append((layer, copied(tensors_in((args, kwargs))), users_line()))

    ordered = (layer for layer in module.modules() if isinstance(layer, _ORDERED))
    with hooked(ordered, enter=before):
        return inputs, operations_of(call)


def _batch_first(module: nn.Module) -> bool:
    own = getattr(module, "self_attn", module)
    return bool(getattr(own, "batch_first", False))
