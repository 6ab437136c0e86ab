"""Evaluating jaxprs, one equation after the other: as written or in float64, with noise or without.

On tracers it makes another jaxpr, in which the calls of functions are inlined. Example: the step

    { lambda ; w:f32[3] x:f32[3]. let
        y:f32[] = jit[name=loss jaxpr={ lambda ; a:f32[3] b:f32[3]. let
            c:f32[3] = mul a b
            d:f32[] = reduce_sum[axes=(0,)] c
          in (d,) }] w x
      in (y,) }

with ``promote`` becomes, evaluated on float64 tracers:

    { lambda ; w:f64[3] x:f64[3]. let
        c:f64[3] = mul w x
        d:f64[] = reduce_sum[axes=(0,)] c
      in (d,) }

The user's line stays with each equation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax._src import source_info_util
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

from symmetry.jax.jaxprs.graph import Graph
from symmetry.jax.jaxprs.places import has_users_line
from symmetry.jax.jaxprs.walk import (
    Site,
    Walk,
    called,
    calls,
    closed,
    equations_in,
    is_call,
    operands_of_scan,
)

_DTYPES = ("new_dtype", "dtype", "preferred_element_type", "out_dtype")
# Their results depend on the number of bits, or come from outside of JAX.
_AS_WRITTEN = ("bitcast_convert_type", "nextafter", "pure_callback", "io_callback", "ffi_call")

Position = tuple[Site, int]  # an operand of an equation


def widened(dtype: Any) -> Any:
    """Return the dtype with as many bits as there are: of floats and of complex numbers."""
    if is_key(dtype) or not jnp.issubdtype(dtype, jnp.inexact):
        return dtype
    return np.dtype("complex128" if jnp.issubdtype(dtype, jnp.complexfloating) else "float64")


def decimal(value: Any) -> float:
    """Return the number with the shortest decimal that rounds to a float32."""
    return float(str(np.float32(value)))


def is_key(dtype: Any) -> bool:
    """Return whether it is the dtype of keys of random numbers."""
    return bool(jnp.issubdtype(dtype, jax.dtypes.extended))


def kind_of(dtype: Any) -> str:
    """Return the kind of a dtype as NumPy names it; nothing if it is the dtype of keys."""
    return "" if is_key(dtype) else np.dtype(dtype).kind


class Interpreter(Walk[Any]):
    """Evaluates jaxprs, on arrays or on tracers.

    Parameters
    ----------
    promote
        Whether whatever is a float has 64 bits.
    quiet
        The sites of random draws that are replaced by their mean.

    Attributes
    ----------
    inside_loop
        Whether the equation that it evaluates is in the body of a loop or in a branch.
    constants
        Other values of constants, by the id of what they stand for.
    literals
        The digits of literals, by their operands; others are decimals.
    """

    def __init__(self, *, promote: bool = False, quiet: frozenset[Site] = frozenset()) -> None:
        super().__init__()
        self.promote, self.quiet = promote, quiet
        self.inside_loop = False
        self.constants: dict[int, Any] = {}
        self.literals: Mapping[Position, float] = {}
        self._line: Any = None  # the traceback of the equation, or of the call around it
        looks_inside = CONTROL if promote or quiet else {}
        self.rules = _OVER_ROWS | looks_inside
        self.rules |= (_MEANS if quiet else {}) | (_PROMOTED if promote else {})

    def constant(self, value: Any, variable: Any) -> Any:
        """Return a constant as a value, or what stands for it."""
        return self.lift(self.constants.get(id(value), value), variable.aval)

    def literal(self, atom: Any) -> Any:
        """Return a literal as a value."""
        return self.lift(atom.val, atom.aval)

    def visit(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Return the results of an equation, whose line and scopes they keep."""
        outer, info = self._line, equation.source_info
        # A function that a library traced once has no line of the user's: its call has one.
        self._line = info.traceback if outer is None or has_users_line(info) else outer
        names = source_info_util.current_name_stack() + info.name_stack
        line = source_info_util.user_context(self._line, name_stack=names)
        if self.promote:
            args = [*map(self._with_all_digits, enumerate(equation.invars), args)]
        with line, equation.ctx.manager:
            results = self.equation(equation, args)
        self._line = outer
        return results

    def lift(self, value: Any, aval: Any) -> Any:
        """Return a constant as a value."""
        dtype = getattr(aval, "dtype", None)
        if dtype is None or is_key(dtype):
            return value
        return jnp.asarray(value, widened(dtype) if self.promote else dtype)

    def _with_all_digits(self, operand: tuple[int, Any], value: Any) -> Any:
        """Return a literal of float32 in float64 with the digits that it was written with."""
        position, atom = operand
        literal = isinstance(atom, Literal) and atom.aval.shape == ()
        if not literal or atom.aval.dtype != np.float32 or not np.isfinite(atom.val):
            return value
        number = self.literals.get((self.site, position))
        return jnp.asarray(decimal(atom.val) if number is None else number, np.float64)

    def equation(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Return the results of an equation; the mean of a draw that is left out.

        A choice by a literal is the branch that it takes, as of updates that are never skipped.
        """
        if self.site in self.quiet:
            return [self._mean(equation, args)]
        if equation.primitive.name == "cond" and isinstance(equation.invars[0], Literal):
            return self.run(equation.params["branches"][int(equation.invars[0].val)], *args[1:])
        return super().equation(equation, _chances(equation, args) if self.quiet else args)

    def _mean(self, equation: Any, args: Sequence[Any]) -> Any:
        """Return the mean of what the function of this name in jax.random draws."""
        aval = equation.outvars[0].aval
        dtype = widened(np.dtype("float32")) if self.promote else np.dtype("float32")
        name, mean = equation.params["name"], 0.0
        if name in ("_bernoulli", "_uniform"):
            mean = (_chance if name == "_bernoulli" else _middle)(equation, args)
        return jnp.broadcast_to(jnp.asarray(mean, dtype), aval.shape)

    def perform(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Evaluate an equation as one operation, or as a loop or choice of evaluated ones."""
        around, name = self.inside_loop, equation.primitive.name
        self.inside_loop = around or name in CONTROL
        try:
            return super().perform(equation, args)
        finally:
            self.inside_loop = around

    def operation(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Evaluate an equation as one operation."""
        if not self.promote:
            return bind(equation, args, equation.params)
        params = dict(equation.params)
        for key, value in params.items():
            if key in _DTYPES and value is not None:
                params[key] = widened(value)
            elif isinstance(value, Jaxpr | ClosedJaxpr):  # what a reduction does with two numbers
                params[key] = self._retraced(value)
        try:
            return bind(equation, args, params)
        except (TypeError, ValueError):
            return self._as_written(equation, args)

    def _retraced(self, jaxpr: Any) -> Any:
        whole = closed(jaxpr)
        own = [
            jax.ShapeDtypeStruct(v.aval.shape, widened(v.aval.dtype)) for v in whole.jaxpr.invars
        ]
        new = jax.make_jaxpr(lambda *args: self.run(whole, *args))(*own)
        return new if isinstance(jaxpr, ClosedJaxpr) else new.jaxpr

    def _as_written(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Evaluate an equation on numbers of as many bits as it is written for."""
        own = [
            arg if is_key(var.aval.dtype) else jnp.asarray(arg, var.aval.dtype)
            for arg, var in zip(args, equation.invars, strict=True)
        ]
        results = bind(equation, own, equation.params)
        return [r if is_key(r.dtype) else r.astype(widened(r.dtype)) for r in results]

    def _logic(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Evaluate an operation on truth values, which may be chances."""
        name, a, b = equation.primitive.name, args[0], args[-1]
        if not jnp.issubdtype(a.dtype, jnp.floating):
            return self.operation(equation, args)
        return [1 - a if name == "not" else a * b if name == "and" else a + b - a * b]

    def _select(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Evaluate a choice between entries, by truth values or by chances."""
        if not jnp.issubdtype(args[0].dtype, jnp.floating):
            return self.operation(equation, args)
        return [args[1] + args[0].astype(args[1].dtype) * (args[2] - args[1])]

    def _scan(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        return self.rounds(equation.params, args, lambda *given: (self.run(*given), ()))[0]

    def rounds(
        self, params: Any, args: Sequence[Any], run: Callable[..., Any], scan: Any = jax.lax.scan
    ) -> tuple[list[Any], Any]:
        """Evaluate a loop; return its results, and what else ``run`` returns in each round."""
        consts, init, rows = operands_of_scan(params, args)

        def body(carry: Any, row: Any) -> Any:
            results, more = run(closed(params["jaxpr"]), *consts, *carry, *row)
            return tuple(results[: len(init)]), (results[len(init) :], more)

        how = {"length": params["length"], "reverse": params["reverse"]}
        carry, (stacked, more) = scan(body, tuple(init), tuple(rows), **how)
        return [*carry, *stacked], more

    def _while(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        params = equation.params
        first, last = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        goes_on, body = args[:first], args[first:last]
        return jax.lax.while_loop(  # type: ignore[no-any-return]
            lambda state: self.run(params["cond_jaxpr"], *goes_on, *state)[0],
            lambda state: tuple(self.run(params["body_jaxpr"], *body, *state)),
            tuple(args[last:]),
        )

    def _cond(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        branches = [partial(self.run, branch) for branch in equation.params["branches"]]
        return jax.lax.switch(args[0], branches, *args[1:])  # type: ignore[no-any-return]

    def _over_rows(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Evaluate a sum over the rows of ``vmap`` as the plain sum over an axis that it is."""
        axes, groups = equation.params["axes"], equation.params.get("axis_index_groups")
        if groups or not all(isinstance(axis, int | np.integer) for axis in axes):
            return self.operation(equation, args)
        reduce = _REDUCTIONS[equation.primitive.name]
        return [reduce(arg, axes) for arg in args]

    def _shard_map(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Evaluate what each device does with its part, in a mesh of devices as before."""
        params = equation.params
        mapped = jax.shard_map(
            partial(self.run, closed(params["jaxpr"])),
            mesh=params["mesh"],
            in_specs=tuple(params["in_specs"]),
            out_specs=list(params["out_specs"]),
            axis_names=params["newly_manual_axes"],
            check_vma=params["check_vma"],
        )
        return mapped(*args)  # type: ignore[no-any-return]


# The rules that evaluate loops and choices by the equations within.
LOOPS = {"scan": Interpreter._scan, "while": Interpreter._while, "cond": Interpreter._cond}
CONTROL = LOOPS | {"shard_map": Interpreter._shard_map}
_REDUCTIONS: dict[str, Any] = {"psum": jnp.sum, "pmax": jnp.max, "pmin": jnp.min}
_OVER_ROWS = dict.fromkeys(_REDUCTIONS, Interpreter._over_rows)
_MEANS = dict.fromkeys(("not", "and", "or"), Interpreter._logic) | {"select_n": Interpreter._select}
_PROMOTED = {"reduce_precision": lambda _self, _equation, args: args} | dict.fromkeys(
    _AS_WRITTEN, Interpreter._as_written
)


def constants_in(jaxpr: ClosedJaxpr) -> list[Any]:
    """Return the arrays that the functions which a jaxpr calls hold, each once."""
    inner = (
        called(equation) for _, equation in equations_in(jaxpr.jaxpr, calls) if is_call(equation)
    )
    consts = (const for each in (jaxpr, *inner) for const in each.consts)
    return [*{id(const): const for const in consts if np.ndim(const)}.values()]


def bind(equation: Any, args: Sequence[Any], params: Any) -> Sequence[Any]:
    """Perform the operation of an equation, with these parameters."""
    primitive = equation.primitive
    results = primitive.bind(*args, **primitive.get_bind_params(params))
    # Those of a map over devices are a tree of JAX's own, which is no list.
    return [*results] if primitive.multiple_results else [results]


def _chance(equation: Any, args: Sequence[Any]) -> Any:
    """Return the chance that a number of ``jax.random.bernoulli`` is true."""
    chance = _given(equation, args, "lt")
    return args[1] if chance is None else chance


def _middle(equation: Any, args: Sequence[Any]) -> Any:
    """Return the mean of the numbers of ``jax.random.uniform``.

    In a loop that is differentiated it is given the width of the interval, not its upper end.
    """
    width, least = _given(equation, args, "mul"), _given(equation, args, "add")
    return (args[1] + args[2]) / 2 if width is None or least is None else least + width / 2


def _given(equation: Any, args: Sequence[Any], name: str) -> Any:
    """Return the argument of a function that its last operation of a name takes as operand 1.

    None if it is computed there. In a loop that is differentiated the constants of a function come
    before its own arguments.
    """
    graph = Graph(called(equation).jaxpr)
    made = (e for e in reversed(graph.equations) if e.primitive.name == name)
    atom = next((each.invars[1] for each in made), None)
    while (maker := graph.maker(atom)) is not None and _is_same(maker):
        atom = maker.invars[0]
    if isinstance(atom, Literal):
        return atom.val
    return args[graph.inputs.index(atom)] if atom in graph.inputs else None


def _is_same(equation: Any) -> bool:
    """Return whether an equation changes the shape or the dtype alone."""
    return equation.primitive.name in ("broadcast_in_dim", "convert_element_type", "reshape")


def _chances(equation: Any, args: Sequence[Any]) -> Sequence[Any]:
    """Return truth values as chances if one of them is a chance: the mean of a mask."""
    truths = [not is_key(v.aval.dtype) and v.aval.dtype.kind == "b" for v in equation.invars]
    pairs = [*zip(args, truths, strict=True)]
    wide = [arg.dtype for arg, truth in pairs if truth and arg.dtype.kind != "b"]
    return [arg.astype(wide[0]) if truth else arg for arg, truth in pairs] if wide else args
