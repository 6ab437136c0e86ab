"""Functions of PyTorch whose calls are seen before they are done, and may get other arguments."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

from torch.overrides import TorchFunctionMode


class Watcher(Protocol):
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


class Watched(TorchFunctionMode):
    """Shows calls to their watchers, one after the other: one mode costs less than several."""

    def __init__(self, *watchers: Watcher) -> None:
        super().__init__()
        self._watchers: dict[Hashable, list[Watcher]] = {}
        for watcher in watchers:
            for function in watcher.functions:
                self._watchers.setdefault(function, []).append(watcher)

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        for watcher in self._watchers.get(func, ()):
            args, kwargs = watcher.see(func, args, kwargs)
        return func(*args, **kwargs)
