"""The first updates of a script on one trace: an unstopped run, seen operation by operation."""

from __future__ import annotations

import gc
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils._pytree import tree_flatten_with_path
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from symmetry.base.calls import calling
from symmetry.base.errors import Disturbed, TrainingError
from symmetry.base.patches import Patch, outermost, patched
from symmetry.base.raised import silenced
from symmetry.base.randomness import generators
from symmetry.base.randomness.unseeded import giving_seeds
from symmetry.base.user_code import callers, kind_of
from symmetry.observe.source_line import SourceLine
from symmetry.torch.creation import collecting
from symmetry.torch.objects import family_of, held_by
from symmetry.torch.script.contained import contained
from symmetry.torch.script.host import Host
from symmetry.torch.script.workers import in_this_process
from symmetry.torch.trace import Tracer
from symmetry.torch.watch.calls import in_backward
from symmetry.torch.watch.operations import Operation, Recorder, tensors_in
from symmetry.torch.watch.steps import updates
from symmetry.training.updates import Doing, Entry, TracedUpdate, Updates, UserCall

_UPDATES = 3  # of each optimiser: what holds in one may be chance
_LARGE_TRACE, _ENOUGH = 3000, 2  # operations from which two updates have to do
_BACKWARDS = 40  # without a step of an optimiser: the script updates by hand
_BYTES = 1 << 29  # of all values: each is kept
_SECONDS = 20.0  # of the CPU: what is there by then is judged
_READS = ("_local_scalar_dense", "is_nonzero", "equal", "item")
_READING = ("tolist", "numpy", "__array__")
_PACKAGE = Path(__file__).parents[2]
_BETWEEN = {("torch", "_tensor.py"), ("torch", "_compile.py"), ("torch", "_ops.py")} | {
    ("utils", "_contextlib.py"),
    ("utils", "_python_dispatch.py"),
}
_GENERATOR = 0x20  # a flag of code
_LARGE = "its values take too much memory to be traced"


class UpdateTracer(Tracer):
    """Makes a trace of updates, and notes how each operation came about.

    Parameters
    ----------
    end
        Called with the reason once there is enough, or too much.
    """

    def __init__(self, end: Callable[[str], None]) -> None:
        super().__init__({})
        self._end, self.is_over, self.is_quiet = end, False, False
        self._bytes, self._began = 0, time.process_time()
        self.doings: list[Doing] = []
        self.updates: list[TracedUpdate] = []
        self.optimizers: list[Any] = []
        self._stepped = Counter[int]()  # by optimiser, how often
        self._begin, self._losses = 0, set[int]()  # of the present update
        self._backwards = 0
        self.weights, self.late, self.carrying = set[int](), set[int](), set[int]()
        # The number of operations before, by value.
        self.draws, self.read = dict[int, int](), dict[int, int]()
        self._modules: dict[int, Tensor] = {}  # parameters of modules that were used, by id

    def before(self, operation: Operation) -> None:
        """Take operands that come from outside."""
        if self.is_over:
            return
        known = len(self.trace.arrays)
        with self._quietly():
            super().before(operation)
        if in_backward():
            self.late.update(range(known, len(self.trace.arrays)))
        for tensor in operation.operands:
            number = self.number_of(tensor)
            if isinstance(tensor, nn.Parameter):
                self.weights.add(number)
                self._modules[id(tensor)] = tensor
            maker = self.trace.maker.get(number)
            made_without = maker is not None and not self.doings[maker].gradient
            if made_without and tensor.requires_grad and not tensor.is_leaf:
                self.carrying.add(number)

    def after(self, operation: Operation) -> None:
        """Take what the operation yields, and see whether Python reads it."""
        if self.is_over:
            return
        nodes, values = len(self.trace.nodes), len(self.trace.arrays)
        with self._quietly():
            super().after(operation)
        added = len(self.trace.nodes) - nodes
        if operation.random and not added:
            self.draws |= dict.fromkeys(range(values, len(self.trace.arrays)), nodes)
            if in_backward():
                self.late.update(range(values, len(self.trace.arrays)))
        if added:
            doing = Doing(
                len(self.updates), torch.is_grad_enabled(), in_backward(), direct=_is_direct()
            )
            self.doings += [doing] * added
        if operation.base in _READS or (operation.random and not added):
            for tensor in operation.operands:
                self.read.setdefault(self.number_of(tensor), nodes)
        self._bytes += sum(array.nbytes for array in self.trace.arrays[values:])
        if self._bytes > _BYTES:
            self.finish(_LARGE)
        elif time.process_time() - self._began > _SECONDS:
            self.finish("its first updates take too long to be traced")

    @contextmanager
    def _quietly(self) -> Iterator[None]:
        self.is_quiet = True
        try:
            yield
        finally:
            self.is_quiet = False

    def finish(self, why: str = "") -> None:
        """End the run: nothing more is seen."""
        self.is_over = True
        self._end(why)

    def differentiates(self, roots: Any) -> None:
        """See what a backward begins at."""
        self._losses.update(map(self.number_of, tensors_in(roots)))
        self._backwards += 1
        if self._backwards > _BACKWARDS and not self._stepped:
            self.finish("no optimiser steps")

    def steps(self, _: Any) -> None:
        """See an optimiser before its step."""
        if self.is_over:
            return
        held = [p for each in self.optimizers for p in held_by(each)]
        for parameter in held:
            self._modules.setdefault(id(parameter), parameter)
        known = len(self.trace.arrays)
        trained = [p for p in self._modules.values() if p.grad is not None]
        with self._quietly():
            numbers = frozenset(self.number_of(p.grad) for p in trained if p.grad is not None)
            self.late.update(range(known, len(self.trace.arrays)))
            parameters = frozenset(map(self.number_of, held))
            moving = frozenset(map(self.number_of, trained))
        self.weights |= parameters
        nodes = range(self._begin, len(self.trace.nodes))
        update = TracedUpdate(nodes, frozenset(self._losses), numbers, parameters, moving)
        if self._losses or not self.updates:
            self.updates.append(update)
        else:  # another optimiser steps behind the same backward
            last = self.updates.pop()
            nodes = range(last.nodes.start, len(self.trace.nodes))
            both = last.gradients | numbers, last.parameters | parameters, last.trained | moving
            self.updates.append(TracedUpdate(nodes, last.losses, *both))
        self._losses.clear()

    def stepped(self, optimizer: Any) -> None:
        """See an optimiser after its step."""
        self._stepped[id(optimizer)] += 1
        self._begin = len(self.trace.nodes)
        most = _ENOUGH if len(self.trace.nodes) > _LARGE_TRACE else _UPDATES
        enough = min(self._stepped.values()) >= most or len(self.updates) >= 2 * most
        if not self.is_over and enough:
            self.finish()

    def notes_read(self, tensor: Tensor) -> None:
        """See Python read a tensor as a whole."""
        if not (self.is_over or self.is_quiet) and (number := self.known(tensor)) is not None:
            self.read.setdefault(number, len(self.trace.nodes))


def _is_direct() -> bool:
    """Return whether the running operation is called by a line of the user's own."""
    for frame in callers():
        if not _is_between(frame.f_code.co_filename):
            return bool(kind_of(frame.f_code.co_filename) == "user")
    return False


@cache
def _is_between(file: str) -> bool:
    """Return whether a file only hands operators on, from a line to an operation."""
    path = Path(file)
    ours = path.is_relative_to(_PACKAGE)
    return ours or path.parts[-2:] in _BETWEEN or "_dynamo" in path.parts


class _Calls:
    """Sees what the user's functions are given, and what they return, by a profile function."""

    def __init__(self, tracer: UpdateTracer) -> None:
        self._tracer, self._stack = tracer, list[tuple[FrameType, tuple[tuple[str, int], ...]]]()
        self.records: list[UserCall] = []
        self._known: dict[CodeType, bool] = {}
        self.signatures: dict[tuple[str, ...], set[CodeType]] = {}

    def profile(self, frame: FrameType, event: str, arg: Any) -> None:
        """See a function begin or return."""
        if event == "call":
            if self._is_own(frame.f_code):
                self._stack.append((frame, (*self._given(frame),)))
        elif event == "return" and self._stack and self._stack[-1][0] is frame:
            _, given = self._stack.pop()
            self._returned(frame, given, arg)

    def _is_own(self, code: CodeType) -> bool:
        known = self._known.get(code)
        if known is None:
            plain = not (code.co_name.startswith("<") or code.co_flags & _GENERATOR)
            known = self._known[code] = plain and kind_of(code.co_filename) == "user"
            if known:
                self.signatures.setdefault(_parameters(code), set()).add(code)
        return known

    def _given(self, frame: FrameType) -> Iterator[tuple[str, int]]:
        for name in _parameters(frame.f_code):
            value = frame.f_locals.get(name)
            if isinstance(value, Tensor) and (number := self._tracer.known(value)) is not None:
                yield name, number

    def _returned(self, frame: FrameType, given: tuple[tuple[str, int], ...], arg: Any) -> None:
        tracer, code = self._tracer, frame.f_code
        if not given or in_backward() or tracer.is_over:
            return
        numbers = (tracer.known(tensor) for tensor in tensors_in(arg))
        results = frozenset(number for number in numbers if number is not None)
        at = SourceLine(code.co_filename, code.co_firstlineno)
        names = _parameters(code)
        record = UserCall(code.co_name, at, len(tracer.updates), given, results, names)
        self.records.append(record)


def _parameters(code: CodeType) -> tuple[str, ...]:
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]


class TracedRun:
    """A script that runs until its first updates are on a trace.

    Parameters
    ----------
    host
        The script, and where it runs.
    seed
        The seed of all random numbers.
    """

    def __init__(self, host: Host, seed: int) -> None:
        self._name, self._seed, self._why = host.source.name, seed, ""
        self._host, self._log, self._has_workers = host, host.new_log(seed), False
        if self._log is not None:  # workers have random numbers of their own
            self._log.ended = lambda: self._has_workers
        self._sandbox = contained(host, self._watching, self._log)
        self._tracer = UpdateTracer(self._end)
        self._calls, self._entries = _Calls(self._tracer), list[Entry]()
        self._mode = Recorder(self._tracer)

    def go(self) -> Updates:
        """Run the script from its start, up to the last update that is judged.

        Raises
        ------
        Disturbed
            If it does not do what it does in a plain run.
        """
        try:
            with generators.kept(generators.shared()), giving_seeds(), silenced():
                generators.seed_all(self._seed)
                with calling("updates", self._name):
                    self._resume()
            if why := self._host.disturbance(self._log):
                raise Disturbed(why)
            return self._record()
        finally:
            self._sandbox.close(throwing=lambda: None, free=lambda: None)
            gc.collect()

    def _resume(self) -> None:
        try:
            self._sandbox.resume()
        except TrainingError as error:
            self._why = str(error)

    def _end(self, why: str) -> None:
        self._why = why
        sys.setprofile(None)
        self._sandbox.stack.suspend()

    def _record(self) -> Updates:
        tracer = self._tracer
        tracer.is_over = True
        signatures = self._calls.signatures.items()
        return Updates(
            trace=tracer.trace,
            doings=tuple(tracer.doings),
            updates=tuple(update for update in tracer.updates if update.losses),
            weights=frozenset(tracer.weights),
            entries=tuple(self._entries),
            calls=tuple(self._calls.records),
            draws=tracer.draws,
            read=tracer.read,
            late=frozenset(tracer.late),
            carrying=frozenset(tracer.carrying),
            why=self._why,
            signatures=tuple(names for names, codes in signatures for _ in codes),
        )

    @contextmanager
    def _watching(self) -> Iterator[None]:
        with ExitStack() as stack:
            stack.enter_context(patched(self._patches()))
            stack.enter_context(updates(self._tracer.steps, self._tracer.stepped))
            stack.enter_context(self._mode)
            sys.setprofile(self._calls.profile)
            stack.callback(sys.setprofile, None)
            yield

    def _patches(self) -> Iterator[Patch]:
        yield collecting(Optimizer, self._tracer.optimizers)
        backward = torch.autograd.backward
        yield torch.autograd, "backward", outermost(backward, self._seen_backward(backward))
        yield DataLoader, "_get_iterator", self._begun(in_this_process(DataLoader._get_iterator))
        for kind in family_of(_BaseDataLoaderIter):
            if "__next__" in vars(kind):
                yield kind, "__next__", self._next(vars(kind)["__next__"])
        for name in _READING:
            yield Tensor, name, self._reading(getattr(Tensor, name))

    def _seen_backward(self, backward: Callable[..., Any]) -> Callable[..., Any]:
        def seen_backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if not (self._tracer.is_over or in_backward()):
                self._tracer.differentiates(tensors)
            return backward(tensors, *args, **kwargs)

        return seen_backward

    def _begun(self, get: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def begun(loader: Any) -> Any:
            self._has_workers |= loader.num_workers > 0
            return get(loader)

        return begun

    def _next(self, following: Callable[[Any], Any]) -> Callable[[Any], Any]:
        def following_seen(iterator: Any) -> Any:
            batch = following(iterator)
            if not self._tracer.is_over:
                for path, leaf in tree_flatten_with_path(batch)[0]:
                    if isinstance(leaf, Tensor):
                        name = ".".join(str(getattr(p, "key", getattr(p, "idx", p))) for p in path)
                        value = self._tracer.number_of(leaf)
                        self._entries.append(Entry(value, len(self._tracer.updates), name))
            return batch

        return following_seen

    def _reading(self, read: Callable[..., Any]) -> Callable[..., Any]:
        def seen(tensor: Tensor, *args: Any, **kwargs: Any) -> Any:
            self._tracer.notes_read(tensor)
            return read(tensor, *args, **kwargs)

        return seen


def run_updates(host: Host, seed: int = 0) -> Updates:
    """Run a script up to its first updates; return them on a trace.

    Raises
    ------
    Disturbed
        If it does not do what it does in a plain run.
    """
    return TracedRun(host, seed).go()
