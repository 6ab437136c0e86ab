"""The calls of the functions that a script jits, and the arrays that it hands from one to another.

Example: a loop, and what is seen of its calls.

    for x, y in batches:
        params, opt, loss = step(params, opt, x, y)

    call 1  step(params0, opt0, x0, y0) -> params1, opt1, loss1
    call 2  step(params1, opt1, x1, y1) -> ...

params1 and opt1, results of call 1, are arguments of call 2: they are its state. The other
arguments are given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import wraps
from typing import Any
from unittest.mock import patch

import jax
import numpy as np

from symmetry.jax.jaxprs.marks import leaves_of, marking
from symmetry.jax.loops.context import context_of
from symmetry.jax.loops.loop_search import LoopFound, LoopInside, LoopSearch, loop_in
from symmetry.jax.made import has_numbers, is_array
from symmetry.jax.script.arguments import Arguments, arguments_of

CALLS = 16  # of a step that are recorded: as many steps can be taken
_DONATED = ("donate_argnums", "donate_argnames")  # the arrays are read after the call


class Enough(BaseException):
    """Ends a script that has taken enough steps: ``except Exception`` does not catch it."""


@dataclass
class Jitted:
    """A function that a script jits, and its calls."""

    # Its name, the function itself, and what calls it jitted.
    name: str
    function: Callable[..., Any]
    call: Callable[..., Any]
    arguments: Arguments  # how it takes them
    tree: Any = None  # the tree of its arguments, which are in a dictionary by their names
    first: list[Any] = field(default_factory=list)  # the leaves of the arguments of the first call
    # The leaves of the arguments of each call; those of the state are left out.
    given: list[list[Any]] = field(default_factory=list)
    # Which leaf of the arguments is which leaf of the last call's result.
    state: dict[int, int] = field(default_factory=dict)
    # Leaves of the arguments that are results of the last call, but not in each call.
    unsteady: set[int] = field(default_factory=set)
    is_varied: bool = False  # whether it is called with arguments of other trees, too
    # The functions whose results are leaves of the arguments, by the numbers of these.
    takes: dict[int, set[str]] = field(default_factory=dict)
    results: list[Any] = field(default_factory=list)  # of the last call

    @property
    def size(self) -> int:
        """How many numbers it gets from its own results, in each call or in some."""
        return sum(np.size(self.first[place]) for place in {*self.state, *self.unsteady})

    def called(self, arguments: Mapping[str, Any]) -> Any:
        """Call it with arguments by their names, as the script does."""
        positional, named = self.arguments.given(arguments)
        with context_of(self.function):
            return self.call(*positional, **named)

    def differentiates(self, arguments: Mapping[str, Any]) -> bool:
        """Return whether it differentiates with respect to its arguments, outside of loops."""
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
        except Exception:  # of a function that wants plain numbers
            return False
        return bool(leaves_of(closed, len(own), carried=False))

    def enter(self, arguments: Mapping[str, Any], makers: Mapping[int, Jitted]) -> None:
        """Note the arguments of a call; ``makers`` are the functions that made arrays."""
        leaves, tree = jax.tree.flatten(arguments)
        if self.tree is not None and tree != self.tree:
            self.is_varied = True
            return
        self.tree = tree
        for place, leaf in enumerate(leaves):
            if (maker := makers.get(id(leaf))) is not None:
                self.takes.setdefault(place, set()).add(maker.name)
        if not self.first:
            self.first = [_copied(leaf) for leaf in leaves]
        else:
            places = {id(result): place for place, result in enumerate(self.results)}
            fed = {p: places[id(leaf)] for p, leaf in enumerate(leaves) if id(leaf) in places}
            self.state = fed if len(self.given) == 1 else self._same(fed)
        self.given.append(
            [None if place in self.state else _copied(leaf) for place, leaf in enumerate(leaves)]
        )

    def _same(self, fed: Mapping[int, int]) -> dict[int, int]:
        """Return what is a result in each call, and note what is not."""
        both = {place: result for place, result in fed.items() if self.state.get(place) == result}
        self.unsteady |= (self.state.keys() | fed.keys()) - both.keys()
        return both


class JittedCalls:
    """Records the calls of a script's jitted functions, until it has taken enough steps.

    Attributes
    ----------
    functions
        Those that were called.
    """

    def __init__(self) -> None:
        self.functions: list[Jitted] = []
        self._makers: dict[int, Jitted] = {}  # of the arrays that functions returned last
        self._jit = jax.jit
        self._loops = LoopSearch(in_traces=True, wanted=lambda: not self._has_step)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record the calls of functions that are jitted meanwhile; a loop that trains ends them."""
        with patch.object(jax, "jit", self.jit), self._loops.watching():
            yield

    def jit(self, function: Any = None, **options: Any) -> Any:
        """Jit a function, as ``jax.jit`` does, and record its calls; no argument is donated."""
        if function is None:
            return lambda late: self.jit(late, **options)
        options = {name: value for name, value in options.items() if name not in _DONATED}
        call = self._jit(function, **options)
        name = getattr(function, "__name__", type(function).__name__)
        jitted = Jitted(name, function, call, arguments_of(function, options))

        @wraps(function)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            leaves = jax.tree.leaves((args, kwargs))
            if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
                return call(*args, **kwargs)
            return self._recorded(jitted, jitted.arguments.named(args, kwargs), args, kwargs)

        for attribute in ("lower", "trace", "eval_shape", "clear_cache"):
            setattr(recorded, attribute, getattr(call, attribute))
        return recorded

    def _recorded(
        self,
        jitted: Jitted,
        arguments: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        if not jitted.given:
            self.functions.append(jitted)
        if len(jitted.given) < CALLS:
            jitted.enter(arguments, self._makers)
        elif jitted.size and jitted.size == max(each.size for each in self.functions):
            raise Enough
        try:
            returned = jitted.call(*args, **kwargs)
        except LoopInside:
            self._refuse_loop(jitted, arguments)
            returned = jitted.call(*args, **kwargs)
        for result in jitted.results:
            self._makers.pop(id(result), None)
        jitted.results = jax.tree.leaves(returned)  # held, so that no other array gets their ids
        self._makers.update((id(r), jitted) for r in jitted.results if _is_made(r))
        return returned

    @property
    def _has_step(self) -> bool:
        """Whether a function is called with its own results: it is the step, whatever loops do."""
        return any(each.size for each in self.functions)

    def _refuse_loop(self, jitted: Jitted, arguments: Mapping[str, Any]) -> None:
        """Raise ``LoopFound`` if it is a loop that trains in a function, and nothing beside it."""
        self._loops.in_traces = False
        if not jitted.differentiates(arguments):
            loop = loop_in(lambda: jitted.called(arguments))
            if loop is not None:
                raise LoopFound(loop)


def _is_made(result: Any) -> bool:
    """Return whether an array tells which function made it: small ones may be shared."""
    return is_array(result) and has_numbers(result)


def _copied(leaf: Any) -> Any:
    """Return a leaf that stays as it is: scripts fill arrays of NumPy anew."""
    return leaf.copy() if isinstance(leaf, np.ndarray) else leaf
