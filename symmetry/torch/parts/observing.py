"""Observing a step from inside: its modules, losses, gradients and updates, and all operations."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from symmetry.base.user_code import shorten
from symmetry.observe.source_line import SourceLine, SourceLines
from symmetry.observe.tape import Tape
from symmetry.torch.compiler import frames
from symmetry.torch.objects import held_by
from symmetry.torch.parts.arrays import Arrays
from symmetry.torch.parts.operation_modes import OperationModes
from symmetry.torch.parts.step_events import TorchStepEvents
from symmetry.torch.state import as_array, is_readable, memory_of
from symmetry.torch.watch.calls import hooked, is_plain
from symmetry.torch.watch.operations import Observer, Operation, Recorder, tensors_in
from symmetry.torch.watch.tape import array_of, observing
from symmetry.training.capabilities.observing import Observing, Recording
from symmetry.training.observation import USED, Observation, ObservedCall, ObservedName, bare
from symmetry.training.run import Run
from symmetry.units.state import Array


class Lines(Observer):
    """Records which line of the user's code wrote last into each memory."""

    def __init__(self) -> None:
        self._places, self._folder = SourceLines(), Path.cwd()  # a script works in another folder
        self._last: dict[int, tuple[StorageWeakRef, SourceLine]] = {}

    def after(self, operation: Operation) -> None:
        """Remember the line behind each write; sums of gradients have no line."""
        place = self._places.here(asking=False)  # of each: backward asks for its forward's
        known = [memory_of(tensor) for tensor in operation.operands if operation.view]
        for tensor in (*operation.results, *operation.written):
            memory = memory_of(tensor)
            if memory and memory not in known:  # a view may be a copy: aten.to
                self._last[memory] = StorageWeakRef(tensor.untyped_storage()), place

    def of(self, tensor: Tensor) -> tuple[str, int] | None:
        """Return file and line; None where they are not known."""
        reference, place = self._last.get(memory_of(tensor), (None, None))
        if reference is None or reference.expired() or place is None or not place.file:
            return None
        return shorten(place.file, self._folder), place.line


class ModuleHooks:
    """Hooks on modules, tensors and optimisers for one step.

    What torch.compile has compiled shows nothing inside of it. A forward that checkpointing runs
    again, inside a backward, shows nothing again. ``lines`` holds where tensors were made.
    """

    def __init__(
        self,
        model: nn.Module,
        parameters: Mapping[str, nn.Parameter],
        scaler: Any,
        lines: Lines,
    ) -> None:
        self._parameters, self._scaler = parameters, scaler
        modules: dict[str, nn.Module] = {}
        for path, module in model.named_modules():
            modules.setdefault(bare(path), module)  # a wrapper stands for what it wraps
        self._names = {module: name for name, module in modules.items()}
        self._lines, self._seen = lines, Observation()
        # Open calls: module, inputs. Tensors by id, kept so that no other gets the same id.
        self._open: list[tuple[str, tuple[ObservedName, ...]]] = []
        self._known: dict[int, tuple[Tensor, int, ObservedName]] = {}
        self._numbers: dict[ObservedName, int] = {}  # how often each was seen
        self._gradients: dict[ObservedName, dict[int, Array]] = {}
        self._first: str | None = None  # the module that is called first
        self._losses: list[float] = []
        self._left: dict[str, Array] = {}  # what the last backward left
        self._used: dict[str, Array] = {}  # what the first update found

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """See what modules are given and return while the block runs."""
        with hooked(self._names, self._enter, self._leave):
            yield

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        if not is_plain():
            return
        name, tensors = self._names[module], _tensors((args, kwargs))
        if self._first is None:  # the name of the model itself is empty
            self._first = name
        if name == self._first:
            for number, tensor in enumerate(tensors):
                self._add(ObservedName("data", f"input {number}"), as_exact(tensor), tensor)
        floats = [t for t in tensors if t.is_floating_point()]
        keys = tuple(
            self._key_of(tensor, ObservedName("forward", f"{name} input{_index(number)}"))
            for number, tensor in enumerate(floats)
        )
        self._open.append((name, keys))

    def _leave(self, module: nn.Module, _args: Any, _kwargs: Any, output: Any) -> None:
        if not is_plain():
            return
        name = self._names[module]
        while self._open and self._open[-1][0] != name:  # what raised did not leave
            self._open.pop()
        inputs = self._open.pop()[1] if self._open else ()
        outputs = []
        for number, tensor in enumerate(t for t in _tensors(output) if t.is_floating_point()):
            key = ObservedName("forward", f"{name}{_index(number)}")
            known = self._known.get(id(tensor))
            if known is not None and known[1] == tensor._version:  # a child has returned it
                self._add(key, self._seen.parts[known[2]][-1], tensor)
            else:
                self._key_of(tensor, key)
            outputs.append(key)
        parent = self._open[-1][0] if self._open else None
        call = ObservedCall(name, parent, inputs, tuple(outputs))
        if not any(call.module == c.module for c in self._seen.calls):
            self._seen.calls.append(call)

    def _key_of(self, tensor: Tensor, key: ObservedName) -> ObservedName:
        """Return the key of a tensor; a new tensor gets this one."""
        known = self._known.get(id(tensor))
        if known is not None and known[1] == tensor._version:
            return known[2]
        self._known[id(tensor)] = tensor, tensor._version, key
        self._add(key, as_array(tensor), tensor)
        if tensor.requires_grad and not isinstance(tensor, torch.nn.Parameter):
            there, number = ObservedName("backward", key.name), self._numbers[key]
            tensor.register_hook(lambda g: self._see_gradient(there, number, g))
        return key

    def _add(self, key: ObservedName, array: Array, tensor: Tensor) -> None:
        self._numbers[key] = self._numbers.get(key, 0) + 1
        self._seen.parts.setdefault(key, []).append(array)
        self._made(key, tensor)

    def _made(self, key: ObservedName, tensor: Tensor) -> None:
        """Remember the line that made the first tensor of a key."""
        if (line := self._lines.of(tensor)) is not None:
            self._seen.lines.setdefault(key, line)

    def _see_gradient(self, key: ObservedName, number: int, gradient: Tensor) -> None:
        if is_readable(gradient):
            self._seen.parts.setdefault(key, [])  # its place in the order
            self._made(key, gradient)
            kept, array = self._gradients.setdefault(key, {}), as_array(gradient) / self._scale()
            kept[number] = kept[number] + array if number in kept else array

    def on_loss(self, loss: Tensor) -> None:
        """See a loss before its backward."""
        self._seen.parts.setdefault(ObservedName("loss", ""), [])
        self._made(ObservedName("loss", ""), loss)
        self._losses.append(float(loss.detach().double().sum()) / self._scale())

    def after_backward(self) -> None:
        """See the gradients that a backward has left."""
        scale = self._scale()
        self._left |= {name: array / scale for name, array in self._gradients_of().items()}
        self._gradients_made("")

    def before_update(self, optimizer: Any) -> None:
        """See what an optimiser is given."""
        mine = {id(parameter) for parameter in held_by(optimizer)}
        for name, array in self._gradients_of(mine).items():
            self._used.setdefault(name, array)
        self._gradients_made(USED)
        kind = type(optimizer).__name__
        for number, group in enumerate(optimizer.param_groups):
            facts = {k: v for k, v in group.items() if isinstance(v, bool | int | float)}
            facts |= {k: [*v] for k, v in group.items() if isinstance(v, tuple)}
            facts |= {k: float(v) for k, v in group.items() if _is_number(v)}
            self._seen.rates.setdefault(f"{kind}{_index(number)}", facts)

    def _scale(self) -> float:
        """Return what a gradient scaler multiplies the loss by."""
        return 1.0 if self._scaler is None else float(self._scaler.get_scale())

    def _gradients_of(self, ids: Container[int] | None = None) -> dict[str, Array]:
        return {
            name: as_array(parameter.grad.to_dense())
            for name, parameter in self._parameters.items()
            if parameter.grad is not None and (ids is None or id(parameter) in ids)
        }

    def _gradients_made(self, which: str) -> None:
        for name, parameter in self._parameters.items():
            if parameter.grad is not None:
                self._made(ObservedName("gradient", f"{name}{which}"), parameter.grad)

    def shown(self, loss: float | None, state: Mapping[str, Tensor]) -> Observation:
        """Return what was seen of a step that has this loss and ends in this state."""
        parts = self._seen.parts
        for name, tensor in state.items():
            self._made(ObservedName("update", name), tensor)
        for key, numbered in self._gradients.items():
            parts[key] = [numbered[number] for number in sorted(numbered)]
        if loss is not None:
            parts[ObservedName("loss", "")] = [
                np.array(sum(self._losses) if self._losses else loss)
            ]
        for name, array in self._left.items():
            parts[ObservedName("gradient", name)] = [array]
        for name, array in (self._used or self._gradients_of()).items():
            left = self._left.get(name)
            if left is not None and np.array_equal(array, left):
                array = left  # once in memory
            parts[ObservedName("gradient", f"{name}{USED}")] = [array]
        return self._seen


def as_exact(tensor: Tensor) -> Array:
    """Return a tensor's numbers; integers as they are."""
    if tensor.is_floating_point() or tensor.is_complex():
        return as_array(tensor)
    array: Array = tensor.detach().cpu().to(torch.int64).numpy()
    return array


def _tensors(value: Any) -> list[Tensor]:
    """Return the tensors within, those whose numbers can be read."""
    return [*filter(is_readable, tensors_in(value))]


def _is_number(value: Any) -> bool:
    return isinstance(value, Tensor) and value.numel() == 1


def _index(number: int) -> str:
    return f"[{number}]" if number else ""


class TorchObserving(Observing):
    """Observes modules, losses, gradients and updates of a run's steps."""

    def __init__(
        self, run: Run, arrays: Arrays, events: TorchStepEvents, operations: OperationModes
    ) -> None:
        self._run, self._arrays = run, arrays
        self._events, self._operations = events, operations

    def observe(self) -> Observation:
        """Take the next step; return what it shows beside the state."""
        objects, events = self._arrays.objects, self._events
        scalers = (x for x in objects.extras.values() if isinstance(x, torch.amp.GradScaler))
        scaler = next((scaler for scaler in scalers if scaler.is_enabled()), None)
        lines = Lines()
        hooks = ModuleHooks(objects.model, self._arrays.parameters, scaler, lines)
        listening = events.listening(
            on_loss=hooks.on_loss,
            after_backward=hooks.after_backward,
            before_update=lambda given: hooks.before_update(given.optimizer),
        )
        # Nothing compiles under a mode: what compiles, in runs without modes, shows no lines.
        compiled = self._operations.as_written and frames() > 0
        with listening, nullcontext() if compiled else Recorder(lines), hooks.hooked():
            self._run.step()
        return hooks.shown(self._run.loss, self._arrays.tensors())


class TorchRecording(Recording):
    """Records every operation that reaches the dispatcher in a run's steps."""

    def __init__(self, run: Run, arrays: Arrays) -> None:
        self._run, self._arrays = run, arrays
        modules = arrays.objects.model.named_modules()
        self._places = SourceLines({id(module): name for name, module in modules})

    def record(self, tape: Tape) -> None:
        """Take the next step; the tape gets each operation on tensors."""
        with observing(tape, self._places):
            self._run.step()

    def array_at(self, memory: int) -> tuple[str, Array] | None:
        """Return name and entries of the tensor, or the gradient, in a block of memory."""
        tensors = {n.removeprefix("model."): t for n, t in self._arrays.tensors().items()}
        for name, parameter in self._arrays.parameters.items():
            if parameter.grad is not None:
                tensors[f"the gradient of {name.removeprefix('model.')}"] = parameter.grad
        for name, tensor in tensors.items():
            if memory_of(tensor) == memory:
                return name, array_of(tensor)
        return None
