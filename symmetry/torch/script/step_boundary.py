"""The models and optimisers that a script makes, and where its steps begin and end."""

from __future__ import annotations

import math
import subprocess
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import wraps
from multiprocessing.process import BaseProcess
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.optim import Optimizer
from torch.utils._python_dispatch import _disable_current_modes
from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _BaseDataLoaderIter

from symmetry.base.patches import outermost, patched
from symmetry.base.user_code import user_place
from symmetry.torch.creation import Modules, collecting
from symmetry.torch.graph import leaves_of, nodes_of
from symmetry.torch.modes.filled_rows import seeing_filled_rows
from symmetry.torch.script.coroutine import ThreadState, leave_modes
from symmetry.torch.script.evaluations import Evaluations
from symmetry.torch.script.samples import Samples
from symmetry.torch.script.tensors import FirstUse, Path, found, names_of
from symmetry.torch.script.workers import as_worker, in_this_process
from symmetry.torch.trials.functions import applied_in_python
from symmetry.torch.watch.calls import in_backward
from symmetry.torch.watch.operations import tensors_in
from symmetry.torch.watch.steps import updates

_call, _call_impl = nn.Module.__call__, nn.Module._call_impl


class NoOptimizer(BaseException):
    """Ends a script that calls backward before it has made an optimiser."""


class NoCall(BaseException):
    """Ends a script that trains, and calls no module before it uses what it trains.

    Its steps begin where a function is given that; ``names`` are those of tensors in no module.
    """

    def __init__(self, names: Sequence[Path] = ()) -> None:
        super().__init__()
        self.names = names


class StepBoundary:
    """The models, optimisers and updates of one run of a script so far.

    Between two steps the script is ``suspended``: at the first call of a module behind an update
    that may keep parameters for a backward. State that is loaded then is in no graph yet. Without
    an optimiser a backward counts as an update, since what follows it is unknown. A script that
    calls ``model.nll(x)``, or multiplies by tensors of its own, is suspended before the first use
    of them; ``names`` are those of tensors that no optimiser holds. They are None elsewhere. A run
    that ``looks`` ends if the graph of its first backward began before that call.
    """

    def __init__(
        self,
        suspend: Callable[[], None],
        samples: Samples,
        evaluations: Evaluations,
        scopes: Callable[[], Sequence[Mapping[str, Any]]],
        *,
        by_hand: bool,
        names: Sequence[Path] | None,
        looks: bool,
    ) -> None:
        self.optimizers: list[Any] = []
        self.modules = Modules()
        self.making: set[int] = set()  # modules that loaders of data call, by ``id``
        self.inside: list[Any] = []  # the optimisers whose update is going on
        self.updates = 0
        self.backwards = 0
        self.lines: Counter[str] = Counter()  # of backwards before the first update
        self.transformed = False  # whether modules are called in a transform, such as vmap
        self.elsewhere = ""  # in words, who else trains or may do so: a thread, a process
        self._thread = threading.get_ident()
        self._suspend, self._samples, self._by_hand = suspend, samples, by_hand
        self.evaluations = evaluations
        self.arguments: Any = None  # the arguments of the call in which the script is suspended
        # The sums of what models have computed without gradients since the last update.
        self.evaluated: list[float] = []
        self.tensors: Mapping[Path, Tensor] = {}  # that it trains by hand, and that have names
        self.replaced = False  # whether their update has made others
        self.names, self._scopes = names, scopes
        self._looks = looks and names is None
        self._first_node = 0  # the number of the first node that autograd makes in the step
        self._begun = False  # whether a step has begun
        self._armed = True  # whether the next call of such a module ends a step

    @property
    def trained(self) -> set[int]:
        """The parameters that are trained, by ``id``; without an optimiser any may be."""
        return {id(p) for o in self.optimizers for group in o.param_groups for p in group["params"]}

    @property
    def held(self) -> set[int]:
        """The parameters of all modules, by ``id``."""
        return {id(p) for module in self.modules for p in module.parameters()}

    @property
    def holds_parameters(self) -> bool:
        """Whether an optimiser holds a parameter of a module, not plain tensors alone."""
        groups = (group["params"] for o in self.optimizers for group in o.param_groups)
        return any(isinstance(p, nn.Parameter) for params in groups for p in params)

    def trains(self, module: nn.Module) -> bool:
        """Return whether a module, or one in it, has a parameter that is trained."""
        if self._by_hand:
            return any(p.requires_grad for p in module.parameters())
        trained = self.trained
        return bool(trained) and any(id(p) in trained for p in module.parameters())

    def _begins(self, module: nn.Module) -> bool:
        """Return whether a call of a module may begin a step.

        That of an encoder that no optimiser holds does: a trained head is called with its result.
        """
        trains = self._by_hand or bool(self.optimizers)
        return trains and any(p.requires_grad for p in module.parameters())

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See everything that is done meanwhile."""
        backward = torch.autograd.backward
        patches = (
            *applied_in_python(),
            (torch.autograd, "backward", outermost(backward, self._seen_backward(backward))),
            collecting(Optimizer, self.optimizers),
            *self.modules.patches(),
            (nn.Module, "__call__", self._seen_call if self._armed else _call),
            (DataLoader, "_get_iterator", in_this_process(DataLoader._get_iterator)),
            (_BaseDataLoaderIter, "__next__", self._apart(_BaseDataLoaderIter.__next__)),
            (BaseProcess, "start", self._elsewhere(BaseProcess.start)),
            (subprocess.Popen, "__init__", self._elsewhere(subprocess.Popen.__init__)),
        )
        with seeing_filled_rows(), patched(patches), updates(self._before, self._after):
            yield

    def _seen_backward(self, backward: Callable[..., None]) -> Callable[..., None]:
        def seen_backward(*args: Any, **kwargs: Any) -> None:
            if not self._is_here():
                backward(*args, **kwargs)
                return
            if not self._by_hand and not self.optimizers:
                raise NoOptimizer
            if self._by_hand and self.updates and self.calls_nothing:
                leaves = leaves_of(tensors_in(args[0] if args else kwargs["tensors"]))
                held = self.held
                loose = [leaf for leaf in leaves if id(leaf) not in held]
                raise NoCall(names_of(loose, self._scopes()))
            if self._looks and not self.updates and self._begun:
                self._refuse_earlier(tensors_in(args[0] if args else kwargs["tensors"]))
            backward(*args, **kwargs)
            self.backwards += 1
            if not self.updates:
                self.lines[user_place()] += 1
            if self._by_hand:
                self._updated()

        return seen_backward

    def _refuse_earlier(self, tensors: Sequence[Tensor]) -> None:
        """Raise NoCall if parameters were used before the call that the step began with."""
        for node in nodes_of(tensors):
            if node._sequence_nr() < self._first_node:
                leaves = (getattr(each, "variable", None) for each, _ in node.next_functions)
                if not self.held.isdisjoint(map(id, leaves)):
                    raise NoCall

    def _before(self, optimizer: Any) -> None:
        """See an optimiser whose update begins."""
        if self._is_here():
            self.inside.append(optimizer)

    def _after(self, optimizer: Any) -> None:
        """See an optimiser whose update has ended: it may be the boundary of a step."""
        if not self._is_here():
            self.elsewhere = f"a thread trains ({user_place()})"
            return
        if self.inside and self.inside[-1] is optimizer:
            self.inside.pop()
        if self._by_hand:
            return
        self._updated()
        if self.updates > 1 and self.calls_nothing:
            raise NoCall

    @property
    def _seen_call(self) -> Callable[..., Any]:
        def seen_call(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if torch.jit.is_tracing():  # it draws the graph of a model: no result is used
                return _call(module, *args, **kwargs)
            if not (torch.is_grad_enabled() or self.evaluations.inside):
                if self._armed and not self.updates:  # the first step has not begun
                    self._samples.computed = user_place(outside=nn.Module)
                result = self.evaluations.call(_call, module, args, kwargs)
                if next(module.parameters(), None) is not None:
                    self.evaluated += _sums(result)
                return result
            if self._armed and self._is_here() and torch.is_grad_enabled() and not in_backward():
                if torch._C._functorch.maybe_current_level() is not None:
                    self.transformed = True  # what it is called with, too, is not what it seems
                elif self._begins(module):
                    self._armed, self._begun = False, True
                    nn.Module.__call__ = _call  # torch.compile has to find the usual one
                    if any(map(is_lazy, module.parameters())):
                        _give_parameters(module, args, kwargs)
                    self.arguments = args, kwargs
                    self._first_node = torch.autograd._get_sequence_nr()
                    self._suspend()
                    self.arguments = None
            return _call(module, *args, **kwargs)

        return seen_call

    @property
    def calls_nothing(self) -> bool:
        """Whether it trains, and nothing has begun a step so far, as calls of modules do."""
        return not self._begun and self.names is None and not self.transformed

    @contextmanager
    def seeing_uses(self) -> Iterator[None]:
        """See the functions that are given what is trained, where no module is called."""
        with nullcontext() if self.names is None else FirstUse(self._used):
            yield

    def _used(self, leaves: Sequence[Tensor]) -> bool:
        """Suspend the script, if a step begins with a function that is given these leaves."""
        if not self._armed or not self._is_here() or in_backward():
            return False
        if torch._C._functorch.maybe_current_level() is not None:
            self.transformed = True
            return False
        if {id(leaf) for leaf in leaves}.isdisjoint(self._usable()):
            return False
        self._armed, self._begun = False, True
        self._suspend()
        return True

    def _usable(self) -> set[int]:
        """Return the ids of what is trained, once all of it is there."""
        if not self._by_hand:
            return self.trained
        before, self.tensors = self.tensors, found(self.names or (), self._scopes())
        self.replaced = any(self.tensors.get(path) is not t for path, t in before.items())
        there = len(self.tensors) == len(self.names or ())
        return self.held | {id(tensor) for tensor in self.tensors.values()} if there else set()

    def _is_here(self) -> bool:
        """Return whether the script runs in its own thread now: in no other can it be suspended."""
        return threading.get_ident() == self._thread

    def _elsewhere(self, begin: Callable[..., Any]) -> Callable[..., Any]:
        """Note where a process is begun: the script may train in it."""

        @wraps(begin)
        def noted(process: Any, *args: Any, **kwargs: Any) -> Any:
            self.elsewhere = self.elsewhere or f"it starts a process ({user_place()})"
            return begin(process, *args, **kwargs)

        return noted

    @property
    def _making(self) -> Callable[..., Any]:
        """A call of a module that makes data, as a transform does."""

        def making(module: nn.Module, *args: Any, **kwargs: Any) -> Any:
            self.making.add(id(module))
            return _call_impl(module, *args, **kwargs)

        return making

    def _apart(self, following: Callable[..., Any]) -> Callable[..., Any]:
        """Make a batch as the script does: it is data, and neither promoted nor recorded."""

        def made(iterator: Any) -> Any:
            if self.evaluations.ends(iterator):
                raise StopIteration
            state, call = ThreadState(), nn.Module._call_impl
            leave_modes()
            nn.Module._call_impl = self._making
            try:
                with as_worker(iterator), self._samples.moving(iterator):
                    return following(iterator)
            finally:
                nn.Module._call_impl = call
                state.put()

        return made

    def arm(self) -> None:
        """Let the next call of a trained module suspend the script, updated or not."""
        self._armed = True

    def _updated(self) -> None:
        self.updates += 1
        self._armed, self.evaluated = True, []
        self.evaluations.forget()
        nn.Module.__call__ = self._seen_call


def _sums(result: Any) -> list[float]:
    """Return the sum of each tensor in a result; NaN, which equals nothing, if it is not known."""
    try:
        with _disable_current_modes():  # they are no operations of the script
            sums = [float(t.detach().sum(dtype=torch.float64)) for t in tensors_in(result)]
    except (RuntimeError, TypeError, NotImplementedError):  # of wrapped tensors
        sums = []
    return sums or [math.nan]


def _give_parameters(module: nn.Module, args: Any, kwargs: Any) -> None:
    """Give lazy modules the parameters that the call gives them, before a step begins with it."""
    training = [part for part in module.modules() if part.training]
    module.eval()  # nothing is drawn but the parameters, and no statistics move
    try:
        with torch.no_grad():
            _call(module, *args, **kwargs)
    finally:
        for part in module.modules():
            part.training = any(part is each for each in training)
