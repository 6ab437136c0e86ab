"""The search for a loop that trains, in a step or a script.

The code is run without ``jax.jit``: then the carry of a loop is there, and all that comes before
its first round is done. A loop trains if its body differentiates with respect to its carry. Where
that happens in a further loop within the body, rounds are taken one after the other up to there;
all other loops are compiled as they are written. A function that ``vmap`` maps is run on its first
arguments if a loop in it trains. A loop that is itself differentiated is no training: the inner
loop of a meta-learner adapts, and its outer one trains.

    def train(key):                                       run
        def update(state, _):                             round 0 alone
            games = jax.lax.scan(play, state, None, 128)  compiled: it does not train
            def minibatch(params, rows): ...              found: the step
            return jax.lax.scan(minibatch, ...)
        return jax.lax.scan(update, start(key), None, 500)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import wraps
from typing import Any, Literal
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import api

from symmetry.jax.jaxprs.marks import leaves_of, marking
from symmetry.jax.loops.loop import Body, Loop
from symmetry.jax.made import MadeTraining, is_array, is_number

_ROUNDS = 64  # of a loop around others that are taken to find one that trains
_SCAN, _FORI, _WHILE = jax.lax.scan, jax.lax.fori_loop, jax.lax.while_loop
_VMAP, _VJP = jax.vmap, api.vjp
_OWN = _SCAN, _FORI, _WHILE, _VMAP, _VJP

UNSEEN = (
    "its step trains in a loop of JAX that cannot be taken apart: no gradient of it is seen, and "
    "nothing that judges gradients applies"
)

Trains = Literal["", "itself", "within"]


class LoopFound(BaseException):
    """Ends a run at a loop that trains: ``except Exception`` does not catch it."""

    def __init__(self, loop: Loop) -> None:
        super().__init__()
        self.loop = loop


class LoopInside(BaseException):
    """Ends the tracing of a function in which a loop trains."""


def loop_in(run: Callable[[], Any]) -> Loop | None:
    """Run a function without ``jax.jit`` up to the first loop that trains.

    None without any, or if the function raises where it is not compiled.
    """
    try:
        with LoopSearch().watching(), jax.disable_jit():
            run()
    except LoopFound as found:
        return found.loop
    except Exception:
        return None
    return None


def loop_of(made: MadeTraining) -> Loop | None:
    """Return the loop that trains in the first step of a training; None if it is not met."""
    state = jax.tree.map(lambda leaf: jnp.asarray(leaf) if is_array(leaf) else leaf, made.state)
    return loop_in(lambda: made.step(state, 0 if made.batch is None else made.batch(0)))


class LoopSearch:
    """Sees the loops that are called.

    Parameters
    ----------
    in_traces
        Whether a loop that trains ends the tracing of the function that it is called in.
    wanted
        Whether loops are looked at now.
    """

    def __init__(
        self, *, in_traces: bool = False, wanted: Callable[[], bool] = lambda: True
    ) -> None:
        self.in_traces, self._wanted = in_traces, wanted
        self._differentiating = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Look for loops while the block runs, and raise ``LoopFound`` at one that trains."""
        own = self._scan, self._fori_loop, self._while_loop, self._vmap, self._vjp
        with _standing_in(own):
            yield

    def _scan(
        self,
        f: Body,
        init: Any,
        xs: Any = None,
        length: int | None = None,
        reverse: bool = False,
        *args: Any,
        **options: Any,
    ) -> Any:
        sizes = (np.shape(row)[0] for row in jax.tree.leaves(xs) if np.ndim(row))
        rounds = next(sizes, 0) if length is None else length
        rows = jax.tree.map(lambda row: row[::-1], xs) if reverse else xs
        found = self._taken(Loop("scan", f, f, init, rows, rounds))
        if found is None:
            with jax.disable_jit(False):
                return _SCAN(f, init, xs, length, reverse, *args, **options)
        carry, results = found
        order = results[::-1] if reverse else results
        return carry, jax.tree.map(lambda *each: jnp.stack(each), *order)

    def _fori_loop(self, lower: Any, upper: Any, body_fun: Any, init_val: Any, **how: Any) -> Any:
        def body(carry: Any, number: Any) -> tuple[Any, None]:
            return body_fun(number, carry), None

        found = None
        if _is_concrete((lower, upper)):
            rows = np.arange(int(lower), int(upper), dtype=np.int32)
            found = self._taken(Loop("fori_loop", body_fun, body, init_val, rows, len(rows)))
        if found is None:
            with jax.disable_jit(False):
                return _FORI(lower, upper, body_fun, init_val, **how)
        return found[0]

    def _while_loop(self, cond_fun: Any, body_fun: Any, init_val: Any) -> Any:
        def body(carry: Any, _: Any) -> tuple[Any, None]:
            return body_fun(carry), None

        loop = Loop("while_loop", body_fun, body, init_val, None, None)
        found = self._taken(loop, cond_fun)
        if found is None:
            with jax.disable_jit(False):
                return _WHILE(cond_fun, body_fun, init_val)
        return found[0]

    def _vmap(self, fun: Any, in_axes: Any = 0, *args: Any, **options: Any) -> Any:
        mapped = _VMAP(fun, in_axes, *args, **options)

        @wraps(fun)
        def called(*given: Any, **more: Any) -> Any:
            if not self.in_traces and _is_concrete((given, more)):
                first = _first(given, in_axes)
                named = {name: _first_of(value, 0) for name, value in more.items()}
                if first is not None and _has_loop(fun, first, named):
                    _run_mapped(fun, first, named)
            return mapped(*given, **more)

        return called

    def _vjp(self, *args: Any, **options: Any) -> Any:
        self._differentiating += 1
        try:
            return _VJP(*args, **options)
        finally:
            self._differentiating -= 1

    def _taken(
        self, loop: Loop, goes_on: Callable[[Any], Any] = lambda _: True
    ) -> tuple[Any, Sequence[Any]] | None:
        """Take the rounds of a loop around one that trains, and return their results.

        None if no loop within trains, or if it is not met within some rounds.
        """
        concrete = _is_concrete((loop.carry, loop.rows))
        if loop.length == 0 or self._differentiating or not (concrete or self.in_traces):
            return None
        if not self._wanted():
            return None
        trains = _trains(loop)
        if trains and not concrete:
            raise LoopInside
        if trains == "itself":
            raise LoopFound(loop)
        if not trains:
            return None
        carry, results = loop.carry, list[Any]()
        with jax.disable_jit():
            while len(results) != loop.length and goes_on(carry):
                if len(results) == _ROUNDS:
                    return None
                carry, result = loop.body(carry, loop.row(len(results)))
                results.append(result)
        return carry, results


def _is_concrete(values: Any) -> bool:
    return not any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(values))


def _trains(loop: Loop) -> Trains:
    """Return whether a loop's body differentiates by its carry itself, or in a loop within."""
    leaves, tree = jax.tree.flatten(loop.carry)
    if not leaves or not all(map(_is_array_or_number, leaves)):
        return ""

    def body(leaves: Sequence[Any], row: Any) -> Any:
        return loop.body(jax.tree.unflatten(tree, leaves), row)

    try:
        with jax.disable_jit(False), _standing_in(_OWN), marking():
            closed = jax.make_jaxpr(body)(leaves, jax.eval_shape(lambda: loop.row(0)))
    except Exception:  # the loop itself will raise it where it is called
        return ""
    if leaves_of(closed, len(leaves), carried=False):
        return "itself"
    return "within" if leaves_of(closed, len(leaves)) else ""


@contextmanager
def _standing_in(functions: Sequence[Any]) -> Iterator[None]:
    """Let functions stand in for those of JAX while the block runs."""
    homes = (jax.lax, "scan"), (jax.lax, "fori_loop"), (jax.lax, "while_loop")
    places = (*homes, (jax, "vmap"), (api, "vjp"))
    with ExitStack() as stack:
        for (home, name), function in zip(places, functions, strict=True):
            stack.enter_context(patch.object(home, name, function))
        yield


def _has_loop(function: Any, args: Sequence[Any], more: Mapping[str, Any]) -> bool:
    """Return whether a loop within a function trains."""
    try:
        with jax.disable_jit(False), LoopSearch(in_traces=True).watching():
            jax.eval_shape(lambda: function(*args, **more))
    except (LoopInside, LoopFound):
        return True
    except Exception:  # it will raise it where it is called
        return False
    return False


def _run_mapped(function: Any, args: Sequence[Any], more: Mapping[str, Any]) -> None:
    """Run a function that ``vmap`` maps on its first arguments, up to a loop that trains."""
    try:
        function(*args, **more)
    except LoopFound as found:
        raise LoopFound(replace(found.loop, is_mapped=True)) from None


def _first(args: Sequence[Any], axes: Any) -> list[Any] | None:
    """Return the first of mapped arguments; None where it is not plain which axes are mapped."""
    every = axes if isinstance(axes, tuple | list) else (axes,) * len(args)
    if len(every) != len(args) or not all(axis is None or type(axis) is int for axis in every):
        return None
    return [
        arg if axis is None else _first_of(arg, axis) for arg, axis in zip(args, every, strict=True)
    ]


def _first_of(arg: Any, axis: int) -> Any:
    return jax.tree.map(lambda leaf: jnp.take(leaf, 0, axis) if axis else leaf[0], arg)


def _is_array_or_number(leaf: Any) -> bool:
    return isinstance(leaf, jax.core.Tracer) or is_number(leaf)
