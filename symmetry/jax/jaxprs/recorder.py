"""Recording jaxprs as a trace: one after the other, as a training takes its steps.

A value that depends on no leaf is computed once: it comes from outside if it depends on a batch or
on an array of the user's, and from a node without inputs otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from symmetry.base.errors import TrainingError
from symmetry.jax.executables import quickly
from symmetry.jax.jaxprs.interpreter import bind, is_key
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.step import Flat
from symmetry.jax.jaxprs.walk import Site, Walk, closed, evaluate, operands_of_scan
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.trace import Node, Trace, weights
from symmetry.units.state import Array

_UNROLLED = 64  # rounds of a loop that is taken apart
_SIZES = ("shape", "new_sizes", "dimensions", "feature_group_count", "sizes")

_Run = Callable[[Sequence[Any]], Sequence[Any]]


class Value:
    """A value while a jaxpr is recorded.

    Attributes
    ----------
    array
        JAX's.
    number
        Its number in the trace; None if it is not in there yet.
    data
        Whether it depends on the argument of the step.
    """

    __slots__ = ("array", "data", "number")

    def __init__(self, array: Any, number: int | None = None, *, data: bool = False) -> None:
        self.array, self.number, self.data = array, number, data


class JaxprRecorder(Walk[Value]):
    """Records jaxprs without calls; their inputs are leaves of the trace, or data.

    Parameters
    ----------
    leaves
        The named arrays that units may lie in.
    """

    def __init__(self, leaves: Mapping[str, Array]) -> None:
        super().__init__()
        self.trace = Trace()
        self.computed: Mapping[Site, Sequence[Any]] = {}  # results that are known already
        self._arrays: list[Any] = []  # JAX's own, by number
        self._losses: list[int] = []
        self.leaves = {name: self._leaf(jnp.asarray(array)) for name, array in leaves.items()}
        self.trace.leaves = {name: self._number(value) for name, value in self.leaves.items()}
        self._moving = {*self.trace.leaves.values()}  # values that depend on leaves

    def record(
        self, flat: Flat, state: Sequence[Any], names: Sequence[str], given: Sequence[Any]
    ) -> dict[str, Any]:
        """Record a step from a state, whose leaves have these names; return its outputs by name.

        What it is ``given`` beside the state is data. Its losses are noted.
        """
        pairs = zip(names, state, strict=True)
        inputs = [
            self.leaves.get(name) or Value(leaf, data=np.ndim(leaf) > 0) for name, leaf in pairs
        ]
        inputs += [Value(value, data=True) for value in given]
        computed = everything(flat)(flat.jaxpr.consts, [value.array for value in inputs])
        self.computed = {(number,): results for number, results in enumerate(computed)}
        outputs = dict(zip(flat.outputs, self.run(flat.jaxpr, *inputs), strict=True))
        for output, value in outputs.items():
            kind, _, number = output.partition(".")
            if kind in ("loss", "aux"):
                self._losses.append(self._number(value))
            elif names[int(number)] in self.leaves:
                self.leaves[names[int(number)]] = self._as_own(names[int(number)], value)
        return {name: value.array for name, value in outputs.items()}

    def _as_own(self, name: str, value: Value) -> Value:
        """Return a value that is no other leaf: a copy, where a leaf takes the place of another."""
        if value.number is None or value is self.leaves[name]:
            return value
        others = {number for leaf, number in self.trace.leaves.items() if leaf != name}
        return self._performed([value], list, "copy")[0] if value.number in others else value

    def end(self) -> Trace:
        """Add the weighted sum of all losses, and return the trace."""
        factors = weights(len(self._losses))

        def total(values: Sequence[Any]) -> list[Any]:
            return [sum(jnp.sum(v) * w for v, w in zip(values, factors, strict=True))]

        losses = [Value(self._arrays[number], number) for number in self._losses]
        (loss,) = self._add(losses, total, total([v.array for v in losses]), "sum")
        self.trace.loss = self._number(loss)
        self.trace.finals = {name: self._number(value) for name, value in self.leaves.items()}
        return self.trace

    def constant(self, value: Any, variable: Any) -> Value:  # noqa: ARG002
        """Return an array that a jaxpr holds."""
        return Value(value, data=np.ndim(value) > 0)

    def literal(self, atom: Any) -> Value:
        """Return a number in a jaxpr."""
        return Value(jnp.asarray(atom.val, atom.aval.dtype))

    def perform(self, equation: Any, args: Sequence[Value]) -> Sequence[Value]:
        """Record an equation: a loop or a choice by the equations within, where they are known."""
        name, params, place = equation.primitive.name, equation.params, place_of(equation)
        moving = any(self._moves(arg) for arg in args)
        if name == "shard_map" and moving:
            raise TrainingError("several devices share its work in a shard_map")
        if name == "scan" and moving and params["length"] <= _UNROLLED:
            return self._unrolled(params, args, place)
        if name == "while" and moving and (rounds := _rounds(params, [a.array for a in args])):
            return self._taken(params, args, rounds)
        if name == "cond" and moving and not self._moves(args[0]):
            return self.run(params["branches"][int(args[0].array)], *args[1:])
        return self.as_one(equation, args, place)

    def as_one(self, equation: Any, args: Sequence[Value], place: SourceLine) -> Sequence[Value]:
        """Record an equation as one operation, also a loop or a choice."""
        name, params = equation.primitive.name, equation.params
        results = self.computed.get(self.site)
        if results is None:  # within a loop or a choice
            results = bind(equation, [arg.array for arg in args], params)
        slots = [n for n, atom in enumerate(equation.invars) if not isinstance(atom, Literal)]
        given = [None if n in slots else arg.array for n, arg in enumerate(args)]

        def perform(values: Sequence[Any]) -> Sequence[Any]:
            full = dict(enumerate(given)) | dict(zip(slots, values, strict=True))
            return bind(equation, [*full.values()], params)

        run = quickly(perform) if name in ("scan", "while", "cond") else perform
        own = [args[n] for n in slots]
        return self._add(own, run, results, name, place, _integers(params))

    def _add(
        self,
        args: Sequence[Value],
        run: _Run,
        results: Sequence[Any],
        name: str,
        place: SourceLine = NOWHERE,
        integers: frozenset[int] = frozenset(),
    ) -> list[Value]:
        """Add an operation that is known to yield these results."""
        data = any(arg.data for arg in args)
        if not any(self._moves(arg) for arg in args):
            values = [Value(result, data=data) for result in results]
            if not data and not any(is_key(value.array.dtype) for value in values):
                self._node((), values, lambda _: results, name, place, integers)
            return values
        inputs = tuple(self._number(arg) for arg in args)
        values = [Value(result, data=data) for result in results]
        self._node(inputs, values, run, name, place, integers)
        self._moving.update(self._number(value) for value in values)
        return values

    def _node(
        self,
        inputs: tuple[int, ...],
        values: Sequence[Value],
        run: _Run,
        name: str,
        place: SourceLine,
        integers: frozenset[int],
    ) -> None:
        known = self._arrays

        def perform(arrays: Mapping[int, Array]) -> list[Array]:
            with jax.enable_x64(True):
                given = [
                    jnp.asarray(arrays[x]) if x in arrays else known[i]
                    for x, i in enumerate(inputs)
                ]
                return [np.asarray(result) for result in run(given)]

        outputs = tuple(self._number(value) for value in values)
        self.trace.add(Node(inputs, outputs, integers, perform, name, place))

    def _unrolled(self, params: Any, args: Sequence[Value], place: SourceLine) -> list[Value]:
        """Record a loop step by step."""
        consts, carry, rows = operands_of_scan(params, args)
        order = range(params["length"])
        found: dict[int, Sequence[Value]] = {}
        for step in reversed(order) if params["reverse"] else order:
            own = [self._performed([row], _taker(step), "index", place)[0] for row in rows]
            results = self.run(closed(params["jaxpr"]), *consts, *carry, *own)
            carry, found[step] = results[: len(carry)], results[len(carry) :]
        columns = zip(*(found[step] for step in order), strict=True)
        stacked = [self._performed(column, _stack, "stack", place)[0] for column in columns]
        return [*carry, *stacked]

    def _taken(self, params: Any, args: Sequence[Value], rounds: int) -> list[Value]:
        """Record the rounds that a loop takes; units do not change how many these are."""
        first, last = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        carry = [*args[last:]]
        for _ in range(rounds):
            carry = self.run(params["body_jaxpr"], *args[first:last], *carry)
        return carry

    def _performed(
        self, args: Sequence[Value], run: _Run, name: str, place: SourceLine = NOWHERE
    ) -> Sequence[Value]:
        return self._add(args, run, run([arg.array for arg in args]), name, place)

    def _moves(self, value: Value) -> bool:
        return value.number in self._moving

    def _leaf(self, array: Any) -> Value:
        value = Value(array)
        self._number(value)
        return value

    def _number(self, value: Value) -> int:
        if value.number is None:
            value.number = len(self._arrays)
            self._arrays.append(value.array)
            key = is_key(value.array.dtype)
            self.trace.arrays.append(np.zeros(()) if key else np.asarray(value.array))
        return value.number


def everything(flat: Flat, only: Container[int] | None = None) -> Callable[..., Any]:
    """Return a compiled function that returns the results of all equations, or of some."""

    def results(consts: Sequence[Any], inputs: Sequence[Any]) -> list[Sequence[Any]]:
        found = list[Sequence[Any]]()

        def perform(_: int, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
            found.append(bind(equation, args, equation.params))
            return found[-1]

        evaluate(flat.jaxpr.jaxpr, consts, inputs, perform, only=only)
        return found

    return quickly(results)


def _rounds(params: Any, args: Sequence[Any]) -> int:
    """Return how many rounds a loop takes; 0 if they are too many to be recorded."""
    first, last = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]

    def goes_on(state: Any) -> Any:
        count, carry = state
        (more,) = jax.core.eval_jaxpr(
            params["cond_jaxpr"].jaxpr, params["cond_jaxpr"].consts, *args[:first], *carry
        )
        return more & (count <= _UNROLLED)

    def go_on(state: Any) -> Any:
        count, carry = state
        body = params["body_jaxpr"]
        return count + 1, jax.core.eval_jaxpr(body.jaxpr, body.consts, *args[first:last], *carry)

    count = int(jax.lax.while_loop(goes_on, go_on, (0, [*args[last:]]))[0])
    return count if count <= _UNROLLED else 0


def _taker(step: int) -> _Run:
    return lambda values: [values[0][step]]


def _stack(values: Sequence[Any]) -> list[Any]:
    return [jnp.stack(values)]


def _integers(params: Mapping[str, Any]) -> frozenset[int]:
    """Return the sizes among the parameters of an operation."""
    values: Iterable[Any] = (params.get(key) for key in _SIZES)
    listed = (value if isinstance(value, tuple) else (value,) for value in values)
    return frozenset(value for each in listed for value in each if type(value) is int)
