"""The modules and optimisers that are made: where, in which order, and which are alive."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from itertools import count
from typing import Any
from unittest.mock import patch

from torch import nn

from symmetry.base.patches import Patch
from symmetry.base.user_code import callers, calls_target, kind_of
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.capabilities.model import UNKNOWN, Creation

# By the number of the thing, which no attribute is read of: a module whose ``__getattr__`` hands on
# to another one has not got that yet.
_MADE: dict[int, tuple[weakref.ref[Any], Creation]] = {}
_NUMBERS = count(1)


def note(thing: Any) -> None:
    """Note that a module or an optimiser is made now, unless that was noted before."""
    if creation_of(thing) is UNKNOWN:
        number = id(thing)
        with suppress(TypeError):  # the user's own may have no place for a weak reference
            gone = weakref.ref(thing, lambda _: _MADE.pop(number, None))
            _MADE[number] = gone, Creation(_line(thing), next(_NUMBERS))


def creation_of(thing: Any) -> Creation:
    """Return where a module or an optimiser was made, if that is known."""
    made, creation = _MADE.get(id(thing), (None, UNKNOWN))
    return creation if made is not None and made() is thing else UNKNOWN


@contextmanager
def noting_modules() -> Iterator[None]:
    """Note all modules that are made while the block runs."""
    with patch.object(nn.Module, "__init__", noting(nn.Module.__init__, note)):
        yield


def collecting(kind: type, made: list[Any]) -> Patch:
    """Return a patch that notes and lists the objects of a class once they are initialised."""

    def add(thing: Any) -> None:
        if not any(thing is other for other in made):
            made.append(thing)
            note(thing)

    return kind, "__init__", noting(vars(kind)["__init__"], add)


def noting(method: Callable[..., Any], see: Callable[[Any], None]) -> Callable[..., Any]:
    """Return a method that shows the object after it, as an ``__init__`` does."""

    @wraps(method)
    def noted(thing: Any, *args: Any, **kwargs: Any) -> None:
        method(thing, *args, **kwargs)
        see(thing)

    return noted


class Modules:
    """The modules that are made while ``patches`` are in place; those that are alive, in order."""

    def __init__(self) -> None:
        self._made: list[weakref.ref[nn.Module]] = []

    def patches(self) -> Iterator[Patch]:
        """Yield what has to be replaced meanwhile."""
        for name in ("__init__", "__setstate__"):
            yield nn.Module, name, noting(getattr(nn.Module, name), self._add)

    def _add(self, module: nn.Module) -> None:
        self._made.append(weakref.ref(module))
        note(module)

    def __bool__(self) -> bool:
        """Return whether any was made, alive or not."""
        return bool(self._made)

    def __iter__(self) -> Iterator[nn.Module]:
        return (module for ref in self._made if (module := ref()) is not None)

    def roots(self) -> list[nn.Module]:
        """Return those with parameters that are in no other; not those without numbers.

        Parameters on the device meta are only counted.
        """
        alive = {id(module): module for module in self}
        inner = {id(child) for module in alive.values() for child in module.children()}
        roots = (module for number, module in alive.items() if number not in inner)
        return [root for root in roots if any(not p.is_meta for p in root.parameters())]


def _line(thing: Any) -> SourceLine:
    """Return the user's line that makes an object: the innermost outside of its own methods."""
    for frame in callers():
        kind = kind_of(frame.f_code.co_filename)
        if kind == "user" and frame.f_locals.get("self") is not thing:
            return SourceLine(frame.f_code.co_filename, frame.f_lineno)
        if kind == "caller" and calls_target(frame.f_code):
            break
    return NOWHERE
