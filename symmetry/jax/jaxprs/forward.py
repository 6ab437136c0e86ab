"""The equations that compute the losses of a step, evaluated with some operands replaced.

Example: the loss ``((x @ w - y) ** 2).sum()``, a parameter ``w`` and a batch ``(x, y)``.

    0   a = dot_general x w     trained: it depends on a parameter
    1   b = sub a y             trained
    2   c = integer_pow b
    3   d = reduce_sum c        the loss

``values([d], inputs, {(1, 1): other})`` is the loss with another array as operand 1 of equation 1.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from typing import Any

from jax.extend.core import ClosedJaxpr, Literal

from symmetry.jax.executables import quickly
from symmetry.jax.jaxprs.interpreter import bind

# An operand: the number of an equation, and its position there.
Operand = tuple[int, int]


class Forward:
    """The equations that compute the losses of a step.

    Parameters
    ----------
    jaxpr
        What computes them, without calls.
    parameters
        The numbers of the inputs that are trained.

    Attributes
    ----------
    equations
        In the order in which they are computed.
    trained
        The variables that depend on what is trained.
    losses
        The variables that are losses.
    inputs
        The variables that are given.
    """

    def __init__(self, jaxpr: ClosedJaxpr, parameters: Collection[int]) -> None:
        self._jaxpr, core = jaxpr, jaxpr.jaxpr
        self.equations: Sequence[Any] = core.eqns
        self.losses: Sequence[Any] = core.outvars
        self.inputs: Sequence[Any] = core.invars
        self._makers = {v: n for n, e in enumerate(core.eqns) for v in e.outvars}
        self._readers: dict[Any, list[Operand]] = {}
        self.trained = {core.invars[number] for number in parameters}
        for number, equation in enumerate(core.eqns):
            for position, atom in enumerate(equation.invars):
                if not isinstance(atom, Literal):
                    self._readers.setdefault(atom, []).append((number, position))
            if any(self.is_trained(atom) for atom in equation.invars):
                self.trained.update(equation.outvars)
        self._compiled = cache(self._compile)

    def is_trained(self, atom: Any) -> bool:
        """Return whether a value depends on what is trained."""
        return not isinstance(atom, Literal) and atom in self.trained

    def number_of(self, atom: Any) -> int | None:
        """Return the number of the equation that makes a value; None if it is an input."""
        return None if isinstance(atom, Literal) else self._makers.get(atom)

    def maker(self, atom: Any) -> Any:
        """Return the equation that makes a value; None if it is an input or a constant."""
        number = self.number_of(atom)
        return None if number is None else self.equations[number]

    def readers(self, variable: Any) -> Sequence[Operand]:
        """Return the operands that a variable is, in their order."""
        return self._readers.get(variable, ())

    def reads(self, number: int) -> bool:
        """Return whether any equation reads an input."""
        return bool(self.readers(self.inputs[number]))

    def ancestors(self, variables: Sequence[Any]) -> set[int]:
        """Return the numbers of the equations that some variables depend on."""
        found: set[int] = set()
        ahead = [self.number_of(variable) for variable in variables]
        while ahead:
            number = ahead.pop()
            if number is not None and number not in found:
                found.add(number)
                ahead.extend(map(self.number_of, self.equations[number].invars))
        return found

    def values(
        self,
        wanted: Sequence[Any],
        inputs: Sequence[Any],
        replaced: Mapping[Operand, Any] | None = None,
    ) -> list[Any]:
        """Return the values of some atoms for these inputs, some operands being replaced."""
        others = replaced or {}
        variables = tuple(atom for atom in wanted if not isinstance(atom, Literal))
        take = self._compiled(variables, tuple(others))
        found = iter(take(self._jaxpr.consts, [*inputs], [*others.values()]))
        return [a.val if isinstance(a, Literal) else next(found) for a in wanted]

    def evaluated(
        self,
        inputs: Sequence[Any],
        replaced: Mapping[Operand, Any],
        see: Callable[[int, Sequence[Any], Sequence[Any]], Sequence[Any] | None] | None = None,
    ) -> dict[Any, Any]:
        """Return the values of all variables.

        ``see`` is called with the number, the operands and the results of each equation; it may
        return other results.
        """
        core = self._jaxpr.jaxpr
        env = dict(zip(core.constvars, self._jaxpr.consts, strict=True))
        env.update(zip(core.invars, inputs, strict=True))
        for number, equation in enumerate(core.eqns):
            args = [a.val if isinstance(a, Literal) else env[a] for a in equation.invars]
            for position in range(len(args)):
                args[position] = replaced.get((number, position), args[position])
            results = bind(equation, args, equation.params)
            other = None if see is None else see(number, args, results)
            env.update(zip(equation.outvars, results if other is None else other, strict=True))
        return env

    def _compile(
        self, wanted: tuple[Any, ...], operands: tuple[Operand, ...]
    ) -> Callable[[Sequence[Any], Sequence[Any], Sequence[Any]], Sequence[Any]]:
        needed = {*self.ancestors(wanted)}

        def run(consts: Any, inputs: Any, others: Any) -> list[Any]:
            replaced = dict(zip(operands, others, strict=True))
            core = self._jaxpr.jaxpr
            env = dict(zip(core.constvars, consts, strict=True))
            env.update(zip(core.invars, inputs, strict=True))
            for number, equation in enumerate(core.eqns):
                if number not in needed:
                    continue
                args = [a.val if isinstance(a, Literal) else env[a] for a in equation.invars]
                own = {k: other for (n, k), other in replaced.items() if n == number}
                args = [own.get(k, arg) for k, arg in enumerate(args)]
                env.update(
                    zip(equation.outvars, bind(equation, args, equation.params), strict=True)
                )
            return [env[variable] for variable in wanted]

        return quickly(run)
