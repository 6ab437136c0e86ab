"""A function that is called as soon as a module is imported, by whoever imports it.

A module that is imported already can be set aside until somebody asks for it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from copy import copy
from importlib.abc import Loader, MetaPathFinder
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


class SetAside(MetaPathFinder):
    """A package that is in memory, and is found as if it were still to be imported.

    So are its modules: who imports one imports the package first.

    Parameters
    ----------
    name
        The package.
    asked
        Called when somebody imports it, before it is back.
    """

    def __init__(self, name: str, asked: Callable[[], None]) -> None:
        names = [each for each in sys.modules if each.partition(".")[0] == name]
        self._modules, self._asked = {each: sys.modules.pop(each) for each in names}, asked
        self._package = self._modules[name]
        sys.meta_path.insert(0, self)

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Return what would import the package; None for any other module."""
        if fullname != self._package.__name__:
            return None
        spec = copy(self._package.__spec__)
        assert spec is not None
        spec.loader = _Back(self)
        return spec

    def back(self) -> ModuleType:
        """Let the package be imported again, and return it."""
        self._asked()
        sys.meta_path.remove(self)
        sys.modules.update(self._modules)
        return self._package


class _Back(Loader):
    """Loads a package that was set aside: one each time that it is looked for."""

    def __init__(self, aside: SetAside) -> None:
        self._aside = aside

    def create_module(self, _: ModuleSpec) -> ModuleType:
        module = self._aside.back()
        self._spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec
