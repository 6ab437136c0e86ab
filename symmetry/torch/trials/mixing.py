"""What first mixes samples in a module: every operation of two calls, held against each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from symmetry.observe.place import Place, users_line
from symmetry.torch.modes.callers import callers
from symmetry.torch.modes.recorder import tensors_in
from symmetry.torch.probes.calls import copied
from symmetry.torch.trials.rows import axes_of, differ, differs_within
from symmetry.training.trial import Mixer

_SOFTMAX = {"_softmax", "_log_softmax", "_safe_softmax"}
_VIEWS = {"view", "reshape", "_unsafe_view", "_reshape_alias"}
_MOVES = {"transpose", "permute", "t", "expand", "slice", "select", "unsqueeze", "squeeze", "clone"}
_MOVES |= {"detach", "alias", "_to_copy", "split", "chunk", "unbind", "cat", "stack", *_VIEWS}
_ATTENTION = (nn.MultiheadAttention, nn.TransformerEncoderLayer, nn.TransformerDecoderLayer)
_ORDERED = (nn.RNNBase, *_ATTENTION)  # their inputs have an axis of positions


@dataclass(frozen=True)
class _Step:
    """One operation of a call."""

    name: str
    given: Sequence[Tensor]
    numbers: Sequence[int]
    made: Sequence[Tensor]
    module: str
    place: Place


class _Operations(TorchDispatchMode):
    """Keeps what each operation is given and makes."""

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[_Step] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = copied(tensors_in((args, kwargs or {})))
        result = func(*args, **(kwargs or {}))
        name = func._schema.name.split("::")[1]
        numbers = [a for a in args if isinstance(a, int)]
        made = copied(tensors_in(result))
        self.steps.append(_Step(name, given, numbers, made, _innermost(), users_line()))
        return result


class Mixing:
    """Looks for what first makes the outputs of a sample depend on another one.

    Parameters
    ----------
    module
        Its modules with an axis of positions are looked at before any operation is.
    count, sample
        How many samples there are, and which one differs.
    """

    def __init__(self, module: nn.Module, count: int, sample: int) -> None:
        self._module, self._count, self._sample = module, count, sample

    def first(self, own: Callable[[], Any], other: Callable[[], Any]) -> Mixer | None:
        """Return what mixes first in two calls that differ in one sample; None if nothing does."""
        inputs, steps = self._seen(own)
        other_inputs, other_steps = self._seen(other)
        for (module, given, place), (_, others, _) in zip(inputs, other_inputs, strict=False):
            mixer = self._layout(module, given, others, place)
            if mixer is not None:
                return mixer
        view: Mixer | None = None  # it mixes if something is done with its rows
        for step, changed in zip(steps, other_steps, strict=False):
            mixer = self._operation(step, changed)
            if mixer is None:
                continue
            if mixer.kind != "view":
                return view if view and not self._apart(step, changed) else mixer
            view = view or mixer
        return view

    def _seen(self, call: Callable[[], Any]) -> tuple[list[tuple[nn.Module, Any, Place]], Any]:
        """Return the inputs of modules with an axis of positions, and all operations."""
        inputs: list[tuple[nn.Module, Any, Place]] = []

        def before(module: nn.Module, args: Any, kwargs: Any) -> None:
            inputs.append((module, copied(tensors_in((args, kwargs))), users_line()))

        operations = _Operations()
        with ExitStack() as stack:
            for module in self._module.modules():
                if isinstance(module, _ORDERED):
                    handle = module.register_forward_pre_hook(before, with_kwargs=True)
                    stack.callback(handle.remove)
            stack.enter_context(operations)
            call()
        return inputs, operations.steps

    def _axes(self, a: Tensor, b: Tensor) -> list[int] | None:
        """Return the axes that the samples lie in; None if the tensors do not differ."""
        if a.shape != b.shape:
            return []
        return axes_of(a, b, self._count, self._sample) if differ(a, b) else None

    def _layout(
        self, module: nn.Module, given: Sequence[Tensor], others: Sequence[Tensor], place: Place
    ) -> Mixer | None:
        """Return a mixer if a module takes another axis for that of the samples."""
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

    def _operation(self, step: _Step, other: _Step) -> Mixer | None:
        """Return a mixer if an operation makes something that several samples are in."""
        if step.name != other.name or len(step.made) != len(other.made):
            return self._mixer("other", step, step.made, constant=False)  # it goes another way
        for k, (a, b) in enumerate(zip(step.made, other.made, strict=True)):
            if self._axes(a, b) != [] or self._carries(step, other, a, b):
                continue
            if step.name in _VIEWS:
                return self._mixer("view", step, step.made[k:], constant=False)
            axes = [self._axes(x, y) for x, y in zip(step.given, other.given, strict=False)]
            if step.name in _SOFTMAX and step.numbers[0] % a.ndim in (axes[0] or ()):
                return self._mixer("softmax", step, step.made[k:], constant=False)
            constant = any(found is None for found in axes) and len(axes) > 1
            return self._mixer("other", step, step.made[k:], constant=constant)
        return None

    def _apart(self, step: _Step, other: _Step) -> bool:
        """Return whether an operation is given samples that still lie apart."""
        pairs = zip(step.given, other.given, strict=False)
        return all(self._axes(a, b) != [] for a, b in pairs)

    def _carries(self, step: _Step, other: _Step, a: Tensor, b: Tensor) -> bool:
        """Return whether a result is entry by entry, or moved, what several samples lie in."""
        for x, y in zip(step.given, other.given, strict=False):
            if self._axes(x, y) == [] and (
                step.name in _MOVES or (x.shape == a.shape and differs_within(a, b, x, y))
            ):
                return True
        return False

    def _mixer(self, kind: Any, step: _Step, made: Sequence[Tensor], *, constant: bool) -> Mixer:
        shape = tuple(made[0].shape) if made else ()
        axis = step.numbers[0] % len(shape) if kind == "softmax" else 0
        operation = step.module or step.name.strip("_")
        return Mixer(kind, operation, shape, axis, axis, constant, step.place)


def _batch_first(module: nn.Module) -> bool:
    own = getattr(module, "self_attn", module)
    return bool(getattr(own, "batch_first", False))


def _innermost() -> str:
    """Return the class of the innermost module that PyTorch defines and that is called now."""
    for frame in callers():
        if frame.f_code.co_name == "_call_impl":
            kind = type(frame.f_locals.get("self"))
            return kind.__name__ if kind.__module__.startswith("torch.nn.") else ""
    return ""
