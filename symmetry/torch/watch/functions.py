"""The functions of PyTorch that a training calls, before they are done or with their results.

Example: calls of losses are shown before they are done, and the results of all functions.

    with FunctionCalls(Losses(see)), results(follow):
        loss = F.mse_loss(net(x), y)    see(call), which may return other arguments; the function;
                                        follow(F.mse_loss, (...), {}, loss)
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol
from unittest.mock import patch

import torch
from torch.overrides import TorchFunctionMode

FROM_NUMPY: Any = torch.from_numpy  # no mode of PyTorch gets it
See = Callable[[Any, tuple[Any, ...], dict[str, Any], Any], Any]


class FunctionListener(Protocol):
    """Gets the calls of some functions."""

    functions: frozenset[Hashable]  # of ``torch`` and ``torch.nn.functional``; methods of tensors

    def see(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        """Return the ``(args, kwargs)`` that the function is called with: these or others."""
        ...


class FunctionCalls(TorchFunctionMode):
    """Shows calls to their listeners, one after the other: one mode costs less than several."""

    def __init__(self, *listeners: FunctionListener) -> None:
        super().__init__()
        self._listeners: dict[Hashable, list[FunctionListener]] = {}
        for listener in listeners:
            for function in listener.functions:
                self._listeners.setdefault(function, []).append(listener)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for listener in self._listeners.get(func, ()):
            args, kwargs = listener.see(func, args, kwargs)
        return func(*args, **kwargs)


@contextmanager
def results(see: See) -> Iterator[None]:
    """Show the result of each function that is called while the block runs.

    Nothing is shown where a compiler only traces a function. If ``see`` returns anything, that
    replaces the result.
    """
    convert = torch.from_numpy

    def converted(array: Any) -> Any:
        made = convert(array)
        other = see(FROM_NUMPY, (array,), {}, made)
        return made if other is None else other

    with _Results(see), patch.object(torch, "from_numpy", converted):
        yield


class _Results(TorchFunctionMode):
    def __init__(self, see: See) -> None:
        super().__init__()
        self._see = see

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if torch.compiler.is_compiling():
            return result
        other = self._see(func, args, kwargs, result)
        return result if other is None else other
