"""The equations of a jaxpr without calls: which one makes each value, and which ones read it.

Example: the loss ``((x @ w - y) ** 2).sum()``.

    0   a = dot_general x w     made by number 0, read as operand 0 of number 1
    1   b = sub a y             made by number 1, read as operand 0 of number 2
    2   c = integer_pow b
    3   d = reduce_sum c        its ancestors are all four
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any

from jax.extend.core import Jaxpr, Literal

# An operand: the number of an equation, and its position there.
Operand = tuple[int, int]


class Graph:
    """The equations of a jaxpr, by what makes and what reads each variable.

    Attributes
    ----------
    equations
        In the order in which they are computed.
    inputs
        The variables that are given.
    """

    def __init__(self, core: Jaxpr) -> None:
        self.equations: Sequence[Any] = core.eqns
        self.inputs: Sequence[Any] = core.invars
        self._makers = {v: n for n, e in enumerate(self.equations) for v in e.outvars}
        self._readers: dict[Any, list[Operand]] = {}
        for number, equation in enumerate(self.equations):
            for position, atom in enumerate(equation.invars):
                if not isinstance(atom, Literal):
                    self._readers.setdefault(atom, []).append((number, position))

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

    def ancestors(self, atoms: Iterable[Any], until: Container[int] = ()) -> set[int]:
        """Return the numbers of the equations that values depend on.

        The way back ends at variables whose ids are in ``until``.
        """
        found: set[int] = set()
        ahead = [*atoms]
        while ahead:
            atom = ahead.pop()
            number = self.number_of(atom)
            if number is not None and number not in found and id(atom) not in until:
                found.add(number)
                ahead.extend(self.equations[number].invars)
        return found

    def inputs_behind(self, atom: Any) -> set[Any]:
        """Return the inputs that a value depends on."""
        atoms = [a for number in self.ancestors([atom]) for a in self.equations[number].invars]
        read = {*map(id, (atom, *atoms))}
        return {variable for variable in self.inputs if id(variable) in read}

    def follow(
        self, atoms: Iterable[Any], goes_on: Callable[[Any, int], bool] = lambda *_: True
    ) -> dict[Any, None]:
        """Return variables, and what is made of them as long as a predicate says so, in order.

        The predicate is called with an equation and the position of the operand.
        """
        ahead = [atom for atom in atoms if not isinstance(atom, Literal)]
        found = dict[Any, None].fromkeys(ahead)
        while ahead:
            for number, position in self.readers(ahead.pop()):
                equation = self.equations[number]
                if goes_on(equation, position):
                    new = [v for v in equation.outvars if v not in found]
                    found.update(dict.fromkeys(new))
                    ahead.extend(new)
        return found
