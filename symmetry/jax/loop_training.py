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

A loop that trains: its body as the step of a training.

Example: an epoch in one call.

    def update(params, batch):
        loss, gradient = jax.value_and_grad(loss_of)(params, *batch)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient), loss

    params, losses = jax.lax.scan(update, params, batches)

The carry, params, is the state, update is the step, and row i of batches the batch of step i: after
the last row the first one comes again. Keys among the rows belong to the number of the step, not to
samples.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import partial, wraps
from typing import Any, Literal
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import api

from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.jaxprs.marks import leaves_of, marking
from symmetry.jax.made import MadeTraining, is_array, is_number
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.units.words import count


def context_of(function: Any) -> AbstractContextManager[Any]:
    """Return the context in which NNX calls a function that it compiles or loops."""
    if "flax.nnx" not in sys.modules or not hasattr(function, "ctxtag"):
        return nullcontext()
    return _context(function.ctxtag)


def _context(tag: Any) -> AbstractContextManager[Any]:
    from flax import nnx

    context: AbstractContextManager[Any] = nnx.graph.update_context(tag)
    return context


def _contexts_now() -> tuple[Any, ...]:
    """Return the tags of the contexts in which NNX compiles or loops something now."""
    if "flax.nnx" not in sys.modules:
        return ()
    from flax import nnx

    return (*nnx.graph.GRAPH_CONTEXT.update_context_stacks,)


Body = Callable[[Any, Any], tuple[Any, Any]]


@dataclass(frozen=True)
class Loop:
    """A loop with the arguments of its rounds."""

    kind: str  # the function of ``jax.lax`` that loops
    function: Any  # the body as the user has written it
    body: Body  # the same, as ``lax.scan`` takes it
    carry: Any  # the state that the first round takes
    rows: Any  # the further arguments of the rounds, one row each, in their order
    length: int | None  # how many rounds there are; None if that is not known
    is_mapped: bool = False  # whether ``vmap`` maps it, and this is its first copy
    contexts: tuple[Any, ...] = ()  # the tags of those in which NNX calls it

    @property
    def text(self) -> str:
        """Say which body the step is, and which code is not checked."""
        place, name = _line_of(self.function), getattr(self.function, "__name__", "its body")
        at = f" ({place})" if place.file else ""
        rows = ""
        if self.length is not None and jax.tree.leaves(self.rows):
            rows = f"; after its {count(self.length, 'round')} the first batch comes again"
        return (
            f"its step is {name}{at}, the body of a lax.{self.kind} that trains"
            f"{', in the first copy that vmap maps' if self.is_mapped else ''}; code "
            f"around that loop is not checked{rows}"
        )

    def row(self, number: int) -> Any:
        """Return the further arguments of a round."""
        return jax.tree.map(lambda row: row[number], self.rows)

    def training(self) -> MadeTraining:
        """Return its body as the step of a training."""
        leaves, tree = jax.tree.flatten(self.rows)
        keys = {n: jnp.asarray(leaf) for n, leaf in enumerate(leaves) if _are_keys(leaf)}
        carry = jax.tree.map(jnp.asarray, self.carry)
        if not leaves:
            return MadeTraining(carry, lambda state, _: self._step(state, None), None, 0, self.text)
        size = np.shape(leaves[0])[0]

        def batch(number: int) -> Any:
            rows = [None if n in keys else leaf[number % size] for n, leaf in enumerate(leaves)]
            return {"batch": jax.tree.unflatten(tree, rows), "number": np.int32(number)}

        def step(state: Any, given: Any) -> Any:
            rest = iter(jax.tree.leaves(given["batch"]))
            own = [
                keys[n][given["number"] % size] if n in keys else next(rest)
                for n in range(len(leaves))
            ]
            return self._step(state, jax.tree.unflatten(tree, own))

        return MadeTraining(carry, step, batch, 0, self.text)

    def _step(self, carry: Any, row: Any) -> Any:
        with context_of(self.function), ExitStack() as stack:
            for tag in self.contexts:
                stack.enter_context(_context(tag))
            return self.body(carry, row)


def _are_keys(rows: Any) -> bool:
    """Return whether rows are keys of random numbers, of the new kind or of the old one."""
    return is_key(rows.dtype) or (rows.dtype == np.uint32 and rows.shape[1:] == (2,))


def _line_of(function: Any) -> SourceLine:
    """Return the line at which a function is defined."""
    while isinstance(function, partial) or hasattr(function, "__wrapped__"):
        function = function.func if isinstance(function, partial) else function.__wrapped__
    code = getattr(function, "__code__", None)
    return NOWHERE if code is None else SourceLine(code.co_filename, code.co_firstlineno)


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
            raise LoopFound(replace(loop, contexts=_contexts_now()))
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
