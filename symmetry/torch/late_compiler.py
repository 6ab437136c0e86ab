"""A stand-in for ``torch._dynamo``, whose import takes 1 s, as long as nothing is compiled.

PyTorch's optimisers import it with each step, to break a graph that is not traced; dispatch modes
do so to hide from a compiler that is not there (``torch/optim/optimizer.py``,
``torch/_compile.py``). In both places the stand-in does nothing, as the module where nothing is
traced. Any other use imports the module in its place.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, spec_from_loader
from types import ModuleType
from typing import Any

import torch

_NAME = "torch._dynamo"
_HIDING = "torch._compile"  # hides functions of PyTorch from a compiler
_INSTEAD = "__dynamo_disable"  # of such a function: what is called instead


def delay_compiler() -> None:
    """Let ``torch._dynamo`` be imported where it does something, and not before."""
    if _NAME not in sys.modules and (spec := find_spec(_NAME)) is not None:
        sys.modules[_NAME] = vars(torch)["_dynamo"] = _StandIn(spec)
        sys.meta_path.insert(0, _Parts())


class _StandIn(ModuleType):
    """The module where nothing compiles; whoever holds it has all of the module by it."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        found = {
            "_hidden": [],  # functions of PyTorch that are called as they are
            "__spec__": spec,
            "__file__": spec.origin,
            "__path__": spec.submodule_search_locations,
        }
        vars(self).update(found, graph_break=lambda *_, **__: None, disable=self._disable)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.module(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self.module(), name, value)

    def _disable(self, function: Any = None, *settings: Any, **more: Any) -> Any:
        """Return a function of PyTorch as it is."""
        if sys._getframe(1).f_globals.get("__name__") != _HIDING:
            return self.module().disable(function, *settings, **more)
        self._hidden.append(function)
        return function

    def module(self) -> ModuleType:
        """Return the module, which has taken the place of this one."""
        if sys.modules[_NAME] is self:
            for name in ("graph_break", "disable"):
                del vars(self)[name]
            for function in self._hidden:
                vars(function).pop(_INSTEAD, None)
            del sys.modules[_NAME], vars(torch)["_dynamo"]
            import_module(_NAME)
        return sys.modules[_NAME]


class _Parts(MetaPathFinder, Loader):
    """Finds a module inside of it: the whole is imported first, and often imports this one."""

    def find_spec(self, fullname: str, *_: Any) -> ModuleSpec | None:
        stand_in = sys.modules.get(_NAME)
        if not (fullname.startswith(f"{_NAME}.") and isinstance(stand_in, _StandIn)):
            return None
        stand_in.module()
        if fullname not in sys.modules:
            return None  # another finder has it
        self._spec = sys.modules[fullname].__spec__
        return spec_from_loader(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self._spec  # as before this import
