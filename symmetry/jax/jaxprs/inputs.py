"""The inputs that each output of a jaxpr is computed from, but for noise and choices of rows.

Example: the step of a training with a schedule.

    m = 0.9 m + gradient(w, x)
    w = w - rate(count) * m         w: from w, x, m and count
    count = count + 1
    key = split(key)                drops out entries of x: w is not computed from the key
    x = data[i : i + 8]             w is computed from the data, not from i
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from jax.extend.core import ClosedJaxpr

from symmetry.jax.jaxprs.noise import is_random
from symmetry.jax.jaxprs.walk import Walk, closed, operands_of_scan

Inputs = frozenset[int]  # by their numbers
_NONE = Inputs()
_CHOOSING = "gather", "dynamic_slice"  # entries of the first operand, by the others


def inputs_of(jaxpr: ClosedJaxpr, *, whole: bool = False) -> Sequence[Inputs]:
    """Return the inputs that each output is computed from; the ``whole`` has all."""
    own = (Inputs([number]) for number in range(len(jaxpr.in_avals)))
    return _InputsWalk(whole=whole).run(jaxpr, *own)


class _InputsWalk(Walk[Inputs]):
    """Adds up the inputs of operands; loops are gone through until nothing is added."""

    def __init__(self, *, whole: bool) -> None:
        super().__init__()
        self._whole = whole
        self.rules = {
            "scan": _InputsWalk._scan,
            "while": _InputsWalk._while,
            "cond": _InputsWalk._cond,
            "shard_map": _InputsWalk._shard_map,
        }

    def constant(self, value: Any, variable: Any) -> Inputs:  # noqa: ARG002
        """Return that a constant comes from no input."""
        return _NONE

    def operation(self, equation: Any, args: Sequence[Inputs]) -> Sequence[Inputs]:
        """Return the inputs of all operands; random numbers come from none."""
        every = _NONE.union(*args)
        if not self._whole:
            every = _NONE if is_random(equation) else every
            every = args[0] if equation.primitive.name in _CHOOSING else every
        return [every] * len(equation.outvars)

    def _scan(self, equation: Any, args: Sequence[Inputs]) -> Sequence[Inputs]:
        consts, carry, rows = operands_of_scan(equation.params, args)
        body = equation.params["jaxpr"]
        return _repeated(lambda carry: self.run(body, *consts, *carry, *rows), carry)

    def _while(self, equation: Any, args: Sequence[Inputs]) -> Sequence[Inputs]:
        params = equation.params
        first, last = params["cond_nconsts"], params["cond_nconsts"] + params["body_nconsts"]
        of_cond, of_body, carry = args[:first], args[first:last], args[last:]

        def body(carry: Sequence[Inputs]) -> Sequence[Inputs]:
            (goes_on,) = self.run(params["cond_jaxpr"], *of_cond, *carry)
            return [each | goes_on for each in self.run(params["body_jaxpr"], *of_body, *carry)]

        return _repeated(body, carry)

    def _cond(self, equation: Any, args: Sequence[Inputs]) -> Sequence[Inputs]:
        chosen, *operands = args
        outputs = (self.run(branch, *operands) for branch in equation.params["branches"])
        return [chosen.union(*each) for each in zip(*outputs, strict=True)]

    def _shard_map(self, equation: Any, args: Sequence[Inputs]) -> Sequence[Inputs]:
        return self.run(closed(equation.params["jaxpr"]), *args)


def _repeated(
    body: Callable[[Sequence[Inputs]], Sequence[Inputs]], carry: Sequence[Inputs]
) -> Sequence[Inputs]:
    """Return the outputs of a loop, whose first ones are the carry of its next round."""
    while True:
        outputs = body(carry)
        more = [old | new for old, new in zip(carry, outputs, strict=False)]
        if more == [*carry]:
            return [*more, *outputs[len(carry) :]]
        carry = more
