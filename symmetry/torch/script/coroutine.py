"""A function on a stack of its own that can be suspended anywhere, with PyTorch's state of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextvars import copy_context
from functools import partial
from types import FrameType
from typing import Any

import torch
from greenlet import getcurrent, greenlet
from torch.overrides import _get_current_function_mode_stack
from torch.utils._python_dispatch import (
    _get_current_dispatch_mode_stack,
    _pop_mode,
    _push_mode,
)

_DEVICES = ("cpu", "cuda")
_TIMES = 32  # each is at least two frames of C


class Coroutine:
    """Runs a function until it suspends itself; whoever resumes it goes on where it did.

    It stays in the same thread, so that handlers of signals and everything that belongs to a thread
    work. PyTorch's state of the thread is exchanged: whether gradients are recorded, autocast, and
    the modes that operations pass through. The modes of whoever resumes it come first.
    """

    def __init__(self, function: Callable[[], None]) -> None:
        self._stack = greenlet(partial(_called_from_c, function))
        self._stack.gr_context = copy_context()  # it would begin with an empty one
        self._own: ThreadState | None = None
        self.rearranged = False  # whether it reads its samples in another order

    @property
    def ended(self) -> bool:
        """Whether the function has returned or raised."""
        return bool(self._stack.dead)

    @property
    def as_written(self) -> bool:
        """Whether nothing changes what the function computes."""
        return not (self.rearranged or modes())

    @property
    def frames(self) -> Iterator[FrameType]:
        """The frames of the function, the innermost first; those that call this if it runs now."""
        running = getcurrent() is self._stack
        frame: FrameType | None = sys._getframe(1) if running else self._stack.gr_frame
        while frame is not None:
            yield frame
            frame = frame.f_back

    def resume(self, error: type[BaseException] | None = None) -> None:
        """Continue it until it suspends itself or ends; exceptions pass through.

        With an ``error`` that is raised where it is suspended.
        """
        outer = ThreadState()
        if self._own is not None:
            self._own.put(below=outer)
        self._stack.parent = getcurrent()
        try:
            if error is None:
                self._stack.switch()
            else:
                self._stack.throw(error)
        finally:
            self._own = ThreadState(without=outer)
            outer.put()

    def suspend(self) -> None:
        """Return control to the code that resumed it; called on its own stack."""
        assert self._stack.parent is not None
        self._stack.parent.switch()


def _called_from_c(function: Callable[[], None], times: int = _TIMES) -> None:
    """Call a function below enough frames of C that no backtrace reaches the end of the stack.

    Each error that PyTorch raises from C++ looks through 64 frames. Above the stack of a greenlet
    lies whatever the thread has put there since; to read a return address there is a crash.
    """
    if times:
        next(map(partial(_called_from_c, function), (times - 1,)))
    else:
        function()


class ThreadState:
    """PyTorch's state of the current thread, without the modes of another state."""

    def __init__(self, without: ThreadState | None = None) -> None:
        others: list[Any] = [] if without is None else without._dispatch + without._function
        self._dispatch: list[Any] = [
            m for m in _get_current_dispatch_mode_stack() if not any(m is o for o in others)
        ]
        self._function: list[Any] = [
            m for m in _get_current_function_mode_stack() if not any(m is o for o in others)
        ]
        self._grad = torch.is_grad_enabled()
        self._autocast = {
            device: (torch.is_autocast_enabled(device), torch.get_autocast_dtype(device))
            for device in _DEVICES
        }
        self._cached = torch.is_autocast_cache_enabled()
        self._nested = _nesting()

    def put(self, below: ThreadState | None = None) -> None:
        """Install this as the thread's state, with the modes of another one below its own."""
        leave_modes()
        for state in (self,) if below is None else (below, self):
            for mode in state._function:
                torch._C._push_on_torch_function_stack(mode)
            for mode in state._dispatch:
                _push_mode(mode)
        torch._C._set_grad_enabled(self._grad)
        for device, (on, dtype) in self._autocast.items():
            torch.set_autocast_enabled(device, on)
            torch.set_autocast_dtype(device, dtype)
        torch.set_autocast_cache_enabled(self._cached)
        for _ in range(_nesting(), self._nested):
            torch.autocast_increment_nesting()
        for _ in range(self._nested, _nesting()):
            torch.autocast_decrement_nesting()
        torch.clear_autocast_cache()  # of weights that may get other values meanwhile


def _nesting() -> int:
    """Return in how many blocks of autocast the thread is; behind the last its cache is cleared."""
    torch.autocast_increment_nesting()
    return int(torch.autocast_decrement_nesting())


def modes() -> list[Any]:
    """Return the modes that operations pass through now."""
    return [*_get_current_function_mode_stack(), *_get_current_dispatch_mode_stack()]


def leave_modes() -> None:
    """Leave all modes, of functions and of operations."""
    for _ in _get_current_dispatch_mode_stack():
        _pop_mode()
    for _ in _get_current_function_mode_stack():
        torch._C._pop_torch_function_stack()
