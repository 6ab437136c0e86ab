"""The module calls of a step: hooks on all modules, the outermost calls, and those that run now.

Example: a model of several layers, one of which is checkpointed.

    net(x)                  outermost: ModuleCalls shows it, with copies of its arguments
      net.layer(x)          inside of it: hooks on all modules see it, ModuleCalls does not
    loss.backward()
      net.layer(x)          in_backward(): checkpointing computes it again
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from symmetry.base.user_code import callers


@dataclass(frozen=True)
class ModuleCall:
    """One outermost call of a module."""

    number: int  # the calls of a run are counted from 0
    module: nn.Module  # the module that is called
    # Its arguments: detached copies, since a forward may write into what it is given.
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    originals: tuple[tuple[Any, ...], dict[str, Any]]  # the arguments themselves

    @property
    def named(self) -> dict[str, Any]:
        """The arguments by the names that the forward has for them."""
        found = dict(self.kwargs)
        with suppress(TypeError, ValueError):  # of a forward without a signature
            bound = inspect.signature(self.module.forward).bind(*self.args, **self.kwargs)
            found.update(bound.arguments)
        return found

    def with_argument(self, name: str, value: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """Return the original arguments, one of them replaced."""
        args, kwargs = self.originals
        if name in kwargs:
            return args, {**kwargs, name: value}
        place = [*inspect.signature(self.module.forward).parameters].index(name)
        return (*args[:place], value, *args[place + 1 :]), kwargs


Before = Callable[[ModuleCall], tuple[Any, Any] | None]
After = Callable[[ModuleCall, Any], None]


class ModuleCalls:
    """Hooks on the outermost calls of a model's modules, by a forward that records gradients.

    A call inside of another one is not outermost. Calls that a backward repeats, as checkpointing
    does, and calls without gradients, as of a teacher, are not counted. A callback may call modules
    itself; its own calls are not reported to it.

    Parameters
    ----------
    model
        Its modules are hooked, itself included.
    before
        Called before the call. It may return other ``(args, kwargs)`` to call the module with.
    after
        Called with the output once the module has returned; not if it raises.
    """

    def __init__(
        self, model: nn.Module, *, before: Before | None = None, after: After | None = None
    ) -> None:
        self._model, self._before, self._after = model, before, after
        self._number = self._depth = 0
        self._paused = False
        self._call: ModuleCall | None = None  # the outermost call that is going on

    @contextmanager
    def hooked(self) -> Iterator[None]:
        """See the calls while the block runs."""
        with hooked(self._model.modules(), self._enter, self._leave, outside=True):
            yield

    def _enter(self, module: nn.Module, args: Any, kwargs: Any) -> tuple[Any, Any] | None:
        if self._call is not None:
            self._depth += module is self._call.module  # it may call itself
            return None
        if self._paused or not in_forward():
            return None
        own, named = copied((args, kwargs))
        call = self._call = ModuleCall(self._number, module, own, named, (args, kwargs))
        self._number += 1
        if self._before is None:
            return None
        with self._pause():
            return self._before(call)

    def _leave(self, module: nn.Module, _args: Any, _kwargs: Any, output: Any) -> None:
        call = self._call
        if self._paused or call is None or module is not call.module:
            return
        if self._depth:
            self._depth -= 1
            return
        self._call = None
        # If a forward raises, the hooks are called without an output.
        if self._after is not None and output is not None:
            with self._pause():
                self._after(call, output)

    @contextmanager
    def _pause(self) -> Iterator[None]:
        """Let a callback call modules: they are no calls of the step."""
        call, self._paused, self._call = self._call, True, None
        try:
            yield
        finally:
            self._paused, self._call = False, call


@contextmanager
def hooked(
    modules: Iterable[nn.Module],
    enter: Callable[[nn.Module, Any, Any], Any] | None = None,
    leave: Callable[[nn.Module, Any, Any, Any], Any] | None = None,
    *,
    outside: bool = False,
) -> Iterator[None]:
    """Put hooks on modules while the block runs; scripted ones take none.

    ``enter`` gets a module and its arguments, ``leave`` its result, too; either may return others.
    ``outside`` of all hooks of the user's own, and also of a forward that raises.
    """
    with ExitStack() as stack:
        for module in modules:
            if isinstance(module, torch.jit.ScriptModule):
                continue
            if enter is not None:
                hook = module.register_forward_pre_hook(enter, with_kwargs=True, prepend=outside)
                stack.callback(hook.remove)
            if leave is not None:
                hook = module.register_forward_hook(leave, with_kwargs=True, always_call=outside)
                stack.callback(hook.remove)
        yield


def running_modules() -> Iterator[nn.Module]:
    """Yield the modules whose forward runs now, the innermost first."""
    for frame in callers():
        module = frame.f_locals.get("self") if frame.f_code.co_name == "_call_impl" else None
        if isinstance(module, nn.Module):  # code of others may have a function of this name
            yield module


def in_backward() -> bool:
    """Return whether a backward runs now: what it calls was called before."""
    return bool(torch._C._current_graph_task_id() != -1)


def is_plain() -> bool:
    """Return whether calls are the step's own: by no backward, and no compiler."""
    return not (in_backward() or torch.compiler.is_compiling())


def in_forward() -> bool:
    """Return whether calls are the step's own, and gradients are recorded."""
    return torch.is_grad_enabled() and is_plain()


def copied(value: Any) -> Any:
    """Return a nested value with detached copies of its tensors."""
    return tree_map(lambda v: v.detach().clone() if isinstance(v, Tensor) else v, value)
