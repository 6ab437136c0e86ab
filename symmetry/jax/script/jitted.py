"""A function that a script jits, with its calls as they are replayed.

It may read arrays and numbers from around it, which JAX freezes.

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
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from types import CellType, CodeType, FunctionType
from typing import Any

import jax
import numpy as np

from symmetry.base.user_code import is_user_code
from symmetry.jax.jaxprs.marks import leaves_of, marking
from symmetry.jax.loop_training import context_of
from symmetry.jax.made import has_numbers, is_array, is_number
from symmetry.jax.script.arguments import Arguments

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
        """Return what the names stand for now: those that are arrays or numbers, or hold them."""
        every = {place: _value(home, place[1]) for place, home in self._homes.items()}
        numbers = {p: v for p, v in every.items() if _is_of_numbers(v)}
        self._last = {p: self._kept(self._last.get(p), value) for p, value in numbers.items()}
        return self._last

    def _kept(self, last: Any, value: Any) -> Any:
        """Return a value that stays as it is; the last one if it is equal."""
        if isinstance(value, tuple | list | dict):
            before, leaves = jax.tree.leaves(last), jax.tree.leaves(value)
            if jax.tree.structure(last) != jax.tree.structure(value):
                return jax.tree.map(partial(self._kept, None), value)
            kept = [*map(self._kept, before, leaves)]
            same = all(leaf is other for leaf, other in zip(kept, before, strict=True))
            return last if same else jax.tree.unflatten(jax.tree.structure(value), kept)
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


def _is_of_numbers(value: Any) -> bool:
    """Return whether a value is an array or a number, or a batch: a tree of them with an array.

    Objects are left out: who holds another one in their place does not see what changes them.
    """
    if isinstance(value, tuple | list | dict):
        plain = all(part is None or _is_of_numbers(part) for part in _parts_of(value))
        try:
            return plain and any(map(is_array, jax.tree.leaves(value)))
        except (TypeError, ValueError):  # its keys have no order
            return False
    return is_number(value) and not isinstance(value, jax.core.Tracer)


def _parts_of(value: Any) -> Iterator[Any]:
    """Yield what tuples, lists and dictionaries within each other hold."""
    if isinstance(value, tuple | list | dict):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _parts_of(part)
    else:
        yield value


@dataclass
class Jitted:
    """A function that a script jits, and its calls."""

    # Its name, the function itself, and what calls it jitted.
    name: str
    function: Callable[..., Any]
    call: Callable[..., Any]
    arguments: Arguments  # how it takes them
    by_rows: bool = False  # whether each device has a row of its arguments and of its results
    tree: Any = None  # the tree of its arguments, which are in a dictionary by their names
    first: list[Any] = field(default_factory=list)  # the leaves of the arguments of the first call
    # The leaves of the arguments of each call; those of the state are left out.
    given: list[list[Any]] = field(default_factory=list)
    # Which leaf of the arguments is which leaf of the last call's result.
    state: dict[int, int] = field(default_factory=dict)
    # Leaves of the arguments that are results of the last call, but not in each call.
    unsteady: set[int] = field(default_factory=set)
    is_varied: bool = False  # whether it is called with arguments of other trees, too
    is_closed: bool = False  # whether no further call is noted
    # The functions whose results are leaves of the arguments, by the numbers of these.
    takes: dict[int, set[str]] = field(default_factory=dict)
    results: list[Any] = field(default_factory=list)  # of the last call
    # The leaves of the arguments that it returns as they are, each with the leaf of the result.
    kept: frozenset[tuple[int, int]] = frozenset()
    # Functions that it can read as global names, as they were when JAX traced it.
    names: dict[str, Any] | None = None
    # The arrays and numbers that it reads by name, in each call.
    captured: list[Values] = field(default_factory=list)

    @cached_property
    def _captured(self) -> Captured:
        return Captured(self.function)

    @property
    def size(self) -> int:
        """How many numbers it gets from its own results, in each call or in some, and changes.

        Neither keys nor counts are numbers that a step trains: a policy that draws an action
        returns its next key, and under ``nnx.jit`` all of its model.
        """
        steady = {place for place, _ in self.kept}
        moved = {place for place, result in self.state.items() if (place, result) not in self.kept}
        every = (self.first[place] for place in moved | (self.unsteady - steady))
        return sum(np.size(leaf) for leaf in every if _is_inexact(leaf))

    @property
    def static(self) -> frozenset[str]:
        """The names of the arguments that JAX compiles as constants."""
        return self.arguments.static

    def constants_in(self, arguments: Mapping[str, Any]) -> frozenset[int]:
        """Return the leaves of the arguments that JAX compiles as constants."""
        keyed = jax.tree_util.tree_flatten_with_path(arguments)[0]
        named = (getattr(keys[0], "key", "") for keys, _ in keyed)
        return frozenset(number for number, name in enumerate(named) if name in self.static)

    def called(self, arguments: Mapping[str, Any], call: int | None = None) -> Any:
        """Call it with arguments by their names, as the script does.

        With the number of a call, what it reads by name is as it was there.
        """
        positional, named = self.arguments.given(arguments)
        held = self._captured.standing_for({} if call is None else self.captured[call])
        with context_of(self.function), self._names_as_traced(), held:
            return self.call(*positional, **named)

    def note_names(self) -> None:
        """Note which functions the global names stand for, before the first call."""
        if self.names is None:
            found = globals_of(self.function).items()
            self.names = {name: value for name, value in found if callable(value)}

    @contextmanager
    def _names_as_traced(self) -> Iterator[None]:
        """Let names stand for their first functions: ``loss = update(...)`` may hide ``loss``."""
        own, first = globals_of(self.function), self.names or {}
        later = {n: own[n] for n, value in first.items() if n in own and own[n] is not value}
        own.update({name: first[name] for name in later})
        try:
            yield
        finally:
            own.update(later)

    @property
    def frozen(self) -> tuple[str, ...]:
        """The names of what it reads from around it, and what is another one in later calls."""
        first, *others = self.captured
        moving = {place for each in others for place in each if each[place] is not first.get(place)}
        return tuple(sorted({name for _, name in moving}))

    def differentiates(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether it differentiates with respect to its arguments, outside of loops."""
        return bool(self._differentiated(arguments, in_loops=False))

    @cached_property
    def parameters(self) -> frozenset[int]:
        """The leaves of its arguments with respect to which it differentiates in its first call."""
        return self._differentiated(jax.tree.unflatten(self.tree, self.first), in_loops=True)

    def _differentiated(self, arguments: Mapping[str, Any], *, in_loops: bool) -> frozenset[int]:
        keyed, tree = jax.tree_util.tree_flatten_with_path(arguments)
        leaves = [leaf for _, leaf in keyed]
        own = [
            n
            for n, (keys, leaf) in enumerate(keyed)
            if is_array(leaf) and getattr(keys[0], "key", "") not in self.arguments.static
        ]

        def call(arrays: Sequence[Any]) -> Any:
            every = dict(enumerate(leaves)) | dict(zip(own, arrays, strict=True))
            return jax.tree.leaves(self.called(jax.tree.unflatten(tree, [*every.values()])))

        try:
            with marking():
                closed = jax.make_jaxpr(call)([leaves[n] for n in own])
        except Exception:  # of a function that needs plain numbers
            return frozenset()
        return frozenset(own[n] for n in leaves_of(closed, len(own), carried=in_loops).values())

    def passed(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Mapping[int, int]:
        """Return which results are leaves of the arguments as they are, where that is known."""
        trace = getattr(self.call, "trace", None)  # as it was traced for the call
        if self.static or trace is None:
            return {}
        core = trace(*args, **kwargs).jaxpr.jaxpr
        places = {id(variable): place for place, variable in enumerate(core.invars)}
        pairs = enumerate(core.outvars)
        return {result: places[id(v)] for result, v in pairs if id(v) in places}

    def note_kept(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> None:
        """Note which leaves of the arguments of a call it returns as they are."""
        passed = self.passed(args, kwargs)
        if passed:
            leaves, tree = jax.tree.flatten((args, kwargs))
            numbered = self.arguments.named(*jax.tree.unflatten(tree, range(len(leaves))))
            place = {number: place for place, number in enumerate(jax.tree.leaves(numbered))}
            self.kept = frozenset((place[number], result) for result, number in passed.items())

    def enter(self, arguments: Mapping[str, Any], makers: Sequence[Jitted | None]) -> None:
        """Note the arguments of a call; ``makers`` are the functions that made its leaves."""
        leaves, tree = jax.tree.flatten(arguments)
        if self.tree is not None and tree != self.tree:
            self.is_varied = True
            return
        self.tree = tree
        for place, maker in enumerate(makers):
            if maker is not None:
                self.takes.setdefault(place, set()).add(maker.name)
        if not self.first:
            self.first = [copied(leaf) for leaf in leaves]
        else:
            fed = self._fed(leaves)
            self.state = fed if len(self.given) == 1 else self._same(fed)
        self.captured.append(self._captured.now())
        self.given.append(
            [None if place in self.state else copied(leaf) for place, leaf in enumerate(leaves)]
        )

    def goes_on(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether a further call has the same constants, and the last results in place.

        One with another tree has not: ``nnx`` switches models to evaluation by their trees.
        """
        leaves, tree = jax.tree.flatten(arguments)
        if tree != self.tree:
            return False
        first = jax.tree.unflatten(tree, self.first)
        same = self._constants(arguments) == self._constants(first)
        return same and self._fed(leaves) == self.state

    def _constants(self, arguments: Mapping[str, Any]) -> list[Any]:
        """Return the leaves of the arguments that JAX compiles as constants."""
        own = self.arguments.static
        fixed = {name: value for name, value in arguments.items() if name in own}
        return [*jax.tree.leaves(fixed)]

    def _fed(self, leaves: Sequence[Any]) -> dict[int, int]:
        """Return which leaves of the arguments are leaves of the last result."""
        places = {id(result): place for place, result in enumerate(self.results)}
        return {p: places[id(leaf)] for p, leaf in enumerate(leaves) if id(leaf) in places}

    def _same(self, fed: Mapping[int, int]) -> dict[int, int]:
        """Return what is a result in each call, and note what is not."""
        both = {place: result for place, result in fed.items() if self.state.get(place) == result}
        self.unsteady |= (self.state.keys() | fed.keys()) - both.keys()
        return both


def _is_inexact(leaf: Any) -> bool:
    """Return whether a leaf is an array of floating-point numbers, or one of them."""
    return has_numbers(leaf) if is_array(leaf) else isinstance(leaf, float | complex)


def globals_of(function: Any) -> dict[str, Any]:
    """Return the global names of a function's module; none if it is no function of Python."""
    found: dict[str, Any] = getattr(inspect.unwrap(function), "__globals__", {})
    return found


def copied(leaf: Any) -> Any:
    """Return a leaf that stays as it is: scripts fill arrays of NumPy anew."""
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf
