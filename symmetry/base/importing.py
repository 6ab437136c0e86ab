"""A function that is called as soon as a module is imported, by whoever imports it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any


def when_imported(name: str, function: Callable[[], None]) -> None:
    """Call a function once a module has been executed: now, if it is imported already."""
    if name in sys.modules:
        function()
    else:
        sys.meta_path.insert(0, _Awaiting(name, function))


class _Awaiting(MetaPathFinder):
    """Finds one module as Python does, and calls a function behind its code."""

    def __init__(self, name: str, function: Callable[[], None]) -> None:
        self._name, self._function, self._looks = name, function, False

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._name or self._looks:
            return None
        self._looks = True  # another function may await the module, too
        found = (each.find_spec(fullname, path, target) for each in [*sys.meta_path])
        spec = next(filter(None, found), None)
        self._looks = False
        if spec is None or spec.loader is None:
            return None
        loader: Any = spec.loader
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            execute(module)
            sys.meta_path.remove(self)  # not before: many only ask whether there is such a module
            self._function()

        loader.exec_module = exec_module
        return spec
