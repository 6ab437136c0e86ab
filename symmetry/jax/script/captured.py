"""The arrays and numbers that a jitted function reads from around it, and that JAX freezes.

    x, y = batch()                      read by ``update``, which takes no x and y

    @jax.jit
    def update(params):                 JAX traces it in the first call, with the first x and y:
        return ... loss(params, x, y)   they are constants from then on

    for _ in range(100):
        x, y = batch()                  so no later batch is ever seen
        params = update(params)

Names are variables of enclosing functions or of modules; functions of the user's that the function
names are looked into, too.
"""

from __future__ import annotations

import dis
import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import CellType, CodeType, FunctionType
from typing import Any

import jax
import numpy as np

from symmetry.base.user_code import is_user_code
from symmetry.jax.made import is_number

_DEPTH = 3  # calls of functions of the user's that are looked into
_COPIED = 1 << 22  # bytes of an array of NumPy that may be filled anew

Place = tuple[int, str]  # a cell, or the variables of a module, by its id; and the name
Values = Mapping[Place, Any]


class Captured:
    """The arrays and numbers that a function reads by name."""

    def __init__(self, function: Any) -> None:
        self._homes: dict[Place, CellType | dict[str, Any]] = {}
        self._find(inspect.unwrap(function), _DEPTH)
        self._last: dict[Place, Any] = {}

    def _find(self, function: Any, depth: int) -> None:
        function = getattr(function, "__func__", function)
        if not isinstance(function, FunctionType):
            return
        if depth == 0 or not is_user_code(function.__code__.co_filename):
            return
        cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        for name in _read_by(function.__code__):
            home = cells.get(name, function.__globals__)
            place = id(home), name
            if place not in self._homes and (isinstance(home, CellType) or name in home):
                self._homes[place] = home
                self._find(_unwrapped(_value(home, name)), depth - 1)

    def now(self) -> Values:
        """Return what the names stand for now: those that are arrays or numbers."""
        every = {place: _value(home, place[1]) for place, home in self._homes.items()}
        numbers = {p: v for p, v in every.items() if is_number(v) and not _is_traced(v)}
        self._last = {p: self._kept(p, value) for p, value in numbers.items()}
        return self._last

    def _kept(self, place: Place, value: Any) -> Any:
        """Return a value that stays as it is; the last one if it is equal."""
        last = self._last.get(place)
        if isinstance(value, np.ndarray) and value.nbytes <= _COPIED:
            same = isinstance(last, np.ndarray) and np.array_equal(last, value)
            return last if same else value.copy()
        return value

    @contextmanager
    def standing_for(self, values: Values) -> Iterator[None]:
        """Let names stand for other values while the block runs."""
        before = {place: _value(self._homes[place], place[1]) for place in values}
        self._set(values)
        try:
            yield
        finally:
            self._set(before)

    def _set(self, values: Values) -> None:
        for place, value in values.items():
            home = self._homes[place]
            if isinstance(home, CellType):
                home.cell_contents = value
            else:
                home[place[1]] = value


def _read_by(code: CodeType) -> Iterator[str]:
    """Yield the names of variables from around a function that its code reads."""
    for each in dis.get_instructions(code):
        if each.opname in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_DEREF", "LOAD_CLOSURE"):
            yield str(each.argval)
    for const in code.co_consts:
        if isinstance(const, CodeType):
            yield from _read_by(const)


def _value(home: CellType | dict[str, Any], name: str) -> Any:
    if isinstance(home, CellType):
        try:
            return home.cell_contents
        except ValueError:  # it is empty
            return None
    return home.get(name)


def _unwrapped(value: Any) -> Any:
    return inspect.unwrap(value) if isinstance(value, Callable) else value  # type: ignore[arg-type]


def _is_traced(value: Any) -> bool:
    return isinstance(value, jax.core.Tracer)
