"""Compares the modules and functions that a backward computes again with the forward.

Example: ``checkpoint(block, x, preserve_rng_state=False)``, and the block drops out.

    forward     block(x)    in the checkpoint: nothing is kept but x
    backward    block(x)    again, from the same x; its dropout draws other numbers

A module that runs in a backward is compared with its calls in the forward that had the same inputs,
bit for bit. A checkpointed function need not be a module: if the random generator is in another
state than in the forward, the function is called once more with each of the two states.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.utils import checkpoint

from symmetry.base.randomness import generators
from symmetry.observe.source_line import SourceLine, recomputing_line, users_line
from symmetry.torch.watch.calls import in_backward
from symmetry.torch.watch.operations import tensors_in
from symmetry.training.capabilities.observing import Recomputed, Recomputing

_call_impl = nn.Module._call_impl
# The generator of checkpoints without use_reentrant: its name in PyTorch 2.13, and in 2.15.
_NAMES = "_checkpoint_without_reentrant_generator", "_checkpoint_without_reentrant_generator_impl"
GENERATOR = next(name for name in reversed(_NAMES) if hasattr(checkpoint, name))


class _Call(NamedTuple):
    """A call of a module in the forward: its inputs and outputs, as they are in memory."""

    inputs: list[tuple[Tensor, int]]  # each with its version
    outputs: list[tuple[Tensor, int]]
    at: SourceLine


class TorchRecomputing(Recomputing):
    """Sees the modules and checkpointed functions that backwards call."""

    @contextmanager
    def recomputed(self) -> Iterator[Sequence[Recomputed]]:
        """Collect what the backwards of a step compute again while the block runs."""
        step = _Step()
        generate = getattr(checkpoint, GENERATOR)
        apply = checkpoint.CheckpointFunction.apply
        with (
            patch.object(nn.Module, "_call_impl", step.seen_call),
            patch.object(
                checkpoint,
                GENERATOR,
                lambda function, *rest, **more: generate(step.seen(function), *rest, **more),
            ),
            patch.object(
                checkpoint,
                "CheckpointFunction",
                SimpleNamespace(apply=lambda function, *rest: apply(step.seen(function), *rest)),
            ),
            checkpoint.set_checkpoint_early_stop(False),
        ):
            yield step.found


class _Step:
    """The calls of one step, in its forward and in its backwards."""

    def __init__(self) -> None:
        self.found: list[Recomputed] = []
        self._forward: dict[int, list[_Call]] = defaultdict(list)  # by the module
        self._inside = False  # of a call that is compared, or that compares

    @property
    def seen_call(self) -> Callable[..., Any]:
        """The function that replaces ``Module._call_impl`` meanwhile."""

        def seen_call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if self._inside or torch.compiler.is_compiling():
                return _call_impl(module, *args, **kwargs)
            if not in_backward():
                inputs = _versions((args, kwargs))
                outputs = _call_impl(module, *args, **kwargs)
                call = _Call(inputs, _versions(outputs), users_line())
                self._forward[id(module)].append(call)
                return outputs
            self._inside = True
            try:
                outputs = _call_impl(module, *args, **kwargs)
                self._compare(module, tensors_in((args, kwargs)), tensors_in(outputs))
            finally:
                self._inside = False
            return outputs

        return seen_call

    def _compare(self, module: nn.Module, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        """Compare a call in a backward with those of the forward that had the same inputs."""
        alike = (c for c in self._forward[id(module)] if _are_unwritten(c, inputs))
        distances = [(_distance([t for t, _ in c.outputs], outputs), c.at) for c in alike]
        if distances:
            distance, at = min(distances, key=lambda pair: pair[0])
            self.found.append(Recomputed(type(module).__name__, recomputing_line() or at, distance))

    def seen(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that is compared when a backward calls it."""
        before, at = torch.get_rng_state(), users_line()

        def called(*args: Any, **kwargs: Any) -> Any:
            if in_backward() and not self._inside:
                self._try(function, before, at, partial(function, *args, **kwargs))
            return function(*args, **kwargs)

        return called

    def _try(self, function: Any, before: Tensor, at: SourceLine, call: Callable[[], Any]) -> None:
        """Call a function with the random numbers of its forward, and with those that are next."""
        name = getattr(function, "__qualname__", type(function).__name__)
        distance = 0.0
        if not torch.equal(before, torch.get_rng_state()):
            self._inside = True
            try:
                with torch.no_grad(), generators.kept(generators.shared()):
                    now = tensors_in(call())
                    torch.set_rng_state(before)
                    first = tensors_in(call())
                    torch.set_rng_state(before)
                    again = tensors_in(call())
            finally:
                self._inside = False
            if not _distance(first, again):  # it depends on nothing else
                distance = _distance(first, now)
        self.found.append(Recomputed(name, at, distance))


def _versions(value: Any) -> list[tuple[Tensor, int]]:
    return [(t.detach(), t._version) for t in tensors_in(value) if not t.is_inference()]


def _are_unwritten(call: _Call, inputs: list[Tensor]) -> bool:
    """Return whether a call had these inputs, and nothing has been written into its tensors."""
    kept = [*call.inputs, *call.outputs]
    return (
        len(call.inputs) == len(inputs)
        and all(tensor._version == version for tensor, version in kept)
        and all(_is_same(one, other) for (one, _), other in zip(call.inputs, inputs, strict=True))
    )


def _is_same(one: Tensor, other: Tensor) -> bool:
    dense = one.layout is other.layout is torch.strided
    return dense and one.dtype == other.dtype and bool(torch.equal(one, other))


def _distance(one: Sequence[Tensor], other: Sequence[Tensor]) -> float:
    """Return the largest difference of some tensors, by the largest entry of the first one."""
    largest = 0.0
    for a, b in zip(one, other, strict=False):
        if a.shape == b.shape and a.is_floating_point() and a.numel():
            difference = (a.detach().double() - b.detach().double()).abs().max()
            scale = a.detach().double().abs().max()
            largest = max(largest, float(difference / scale) if scale > 0 else float(difference))
    return largest
