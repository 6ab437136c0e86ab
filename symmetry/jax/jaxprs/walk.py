"""The walk over a jaxpr: its equations, one after the other, and those of the jaxprs within.

Whoever needs the equations alone takes ``equations_in``. Whoever computes something for each
variable, arrays or where values come from, is a ``Walk``: it has a rule for each primitive that
is not one plain operation. Example: how many products lead to a value at most.

>>> import jax
>>> class Products(Walk[int]):
...     def operation(self, equation, args):
...         product = equation.primitive.name == "dot_general"
...         return [max(args) + product for _ in equation.outvars]
>>> inner = jax.jit(lambda w: w @ w)
>>> Products().run(jax.make_jaxpr(lambda w: inner(w) @ w + w)(jax.numpy.ones((2, 2))), 0)
[2]

The call of ``inner`` needs no rule: calls are walked through.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

from jax._src.core import jaxprs_in_params
from jax.extend.core import ClosedJaxpr, Jaxpr, Literal

Value = TypeVar("Value")

# Where an equation stands: its number, after those of the calls around it.
Site = tuple[int, ...]

# Primitives that call a jaxpr, and the parameter that holds it.
_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
    "custom_vmap_call": "call",
    "custom_lin": "jaxpr",
}


def closed(jaxpr: Any) -> ClosedJaxpr:
    """Return a jaxpr with its constants; one without has none."""
    return jaxpr if isinstance(jaxpr, ClosedJaxpr) else ClosedJaxpr(jaxpr, ())


def is_call(equation: Any) -> bool:
    """Return whether an equation only calls a jaxpr, once."""
    return equation.primitive.name in _CALLS


def called(equation: Any) -> ClosedJaxpr:
    """Return the jaxpr that an equation calls."""
    return closed(equation.params[_CALLS[equation.primitive.name]])


def calls(equation: Any) -> Iterable[Jaxpr]:
    """Return the jaxpr that an equation calls, if it is a call."""
    return [called(equation).jaxpr] if is_call(equation) else []


def jaxprs_within(equation: Any) -> Iterable[Jaxpr]:
    """Return all jaxprs that an equation holds: those of a call, a loop, a choice or a map."""
    return jaxprs_in_params(equation.params)  # type: ignore[no-any-return]


def equations_in(
    core: Jaxpr, into: Callable[[Any], Iterable[Jaxpr]] = jaxprs_within, around: Site = ()
) -> Iterator[tuple[Site, Any]]:
    """Yield the equations of a jaxpr, each followed by those of the jaxprs within, and the sites.

    ``into`` returns the jaxprs within an equation that are looked into.
    """
    for number, equation in enumerate(core.eqns):
        site = (*around, number)
        yield site, equation
        for inner in into(equation):
            yield from equations_in(inner, into, site)


def equations_inside(equation: Any) -> Iterator[Any]:
    """Yield the equations of the jaxprs within an equation."""
    for inner in jaxprs_within(equation):
        yield from (each for _, each in equations_in(inner))


def operands_of_scan(params: Any, args: Sequence[Value]) -> Sequence[Sequence[Value]]:
    """Return the constants of a scan, its first carry, and its rows."""
    first, last = params["num_consts"], params["num_consts"] + params["num_carry"]
    return args[:first], args[first:last], args[last:]


def evaluate(
    core: Jaxpr,
    consts: Iterable[Value],
    inputs: Iterable[Value],
    perform: Callable[[int, Any, list[Any]], Sequence[Any]],
    literal: Callable[[Any], Any] = lambda atom: atom.val,
    only: Container[int] | None = None,
) -> Callable[[Any], Any]:
    """Give each variable of a jaxpr a value, and return the function that reads values.

    ``perform`` returns the results of an equation; it takes its number, it, and its operands.
    ``only`` are the numbers of the equations that are needed.
    """
    env: dict[Any, Any] = dict(zip(core.constvars, consts, strict=True))
    env.update(zip(core.invars, inputs, strict=True))

    def read(atom: Any) -> Any:
        return literal(atom) if isinstance(atom, Literal) else env[atom]

    for number, equation in enumerate(core.eqns):
        if only is None or number in only:
            results = perform(number, equation, [*map(read, equation.invars)])
            env.update(zip(equation.outvars, results, strict=True))
    return read


class Walk(Generic[Value]):
    """Goes through a jaxpr, and through those that it calls, with a value for each variable.

    Attributes
    ----------
    rules
        The methods for primitives, by their names: they take an equation and its operands.
    site
        Where the equation stands that it is at.
    """

    rules: Mapping[str, Callable[[Any, Any, Sequence[Any]], Sequence[Any]]] = {}

    def __init__(self) -> None:
        self.site: Site = ()

    def run(self, jaxpr: ClosedJaxpr, *args: Value) -> list[Value]:
        """Return the values of the outputs of a jaxpr for those of its inputs."""
        core, around = jaxpr.jaxpr, self.site

        def perform(number: int, equation: Any, args: Sequence[Value]) -> Sequence[Value]:
            self.site = (*around, number)
            return self.visit(equation, args)

        consts = [*map(self.constant, jaxpr.consts, core.constvars)]
        read = evaluate(core, consts, args, perform, self.literal)
        self.site = around
        return [*map(read, core.outvars)]

    def constant(self, value: Any, variable: Any) -> Value:
        """Return the value of an array that a jaxpr holds."""
        raise NotImplementedError

    def literal(self, atom: Any) -> Value:
        """Return the value of a number in a jaxpr."""
        return self.constant(atom.val, atom)

    def visit(self, equation: Any, args: Sequence[Value]) -> Sequence[Value]:
        """Return the results of the next equation."""
        return self.equation(equation, args)

    def equation(self, equation: Any, args: Sequence[Value]) -> Sequence[Value]:
        """Return the results of an equation: those of the jaxpr that it calls, if it is a call."""
        if is_call(equation):
            return self.run(called(equation), *args)
        return self.perform(equation, args)

    def perform(self, equation: Any, args: Sequence[Value]) -> Sequence[Value]:
        """Return the results of an equation that is no call, by the rule for its primitive."""
        rule = self.rules.get(equation.primitive.name)
        return self.operation(equation, args) if rule is None else rule(self, equation, args)

    def operation(self, equation: Any, args: Sequence[Value]) -> Sequence[Value]:
        """Return the results of an equation whose primitive has no rule."""
        raise NotImplementedError
