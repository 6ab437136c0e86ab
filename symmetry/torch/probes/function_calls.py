"""Functions of PyTorch whose calls are seen before they are done, and may get other arguments."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

from torch.overrides import TorchFunctionMode


class FunctionListener(Protocol):
    """Sees the calls of some functions.

    Attributes
    ----------
    functions
        Functions of ``torch`` and ``torch.nn.functional``, and methods of tensors.
    """

    functions: frozenset[Hashable]

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
