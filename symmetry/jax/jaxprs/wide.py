"""Literals with the digits that a step traced in float32 has lost.

A number of the source, such as an epsilon, is rounded to float32 as a step is traced. Traced once
more in float64 it has all its digits; where both jaxprs have the same equations, they are taken
over. All other literals become the shortest decimal that rounds to them: people write decimals.

    as written      b:f32[3] = mul a 9.999999747378752e-06
    in float64      b:f64[3] = mul a 1e-05                      so the promoted step has 1e-05
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any

import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from symmetry.jax.jaxprs.interpreter import Position
from symmetry.jax.jaxprs.walk import Site, called, closed, is_call

_LARGEST = float(np.finfo(np.float32).max)


def wide_literals(narrow: ClosedJaxpr, wide: ClosedJaxpr) -> Mapping[Position, float]:
    """Return the digits of literals in a jaxpr, by their operands, as another one has them.

    Both are of the same step, in float32 and in float64.
    """
    return dict(_found(narrow, wide, ()))


def _found(
    narrow: ClosedJaxpr, wide: ClosedJaxpr, around: Site
) -> Iterator[tuple[Position, float]]:
    mine, theirs = narrow.jaxpr.eqns, wide.jaxpr.eqns
    for number, other in _matched([*map(_word, mine)], [*map(_word, theirs)]):
        equation, same, site = mine[number], theirs[other], (*around, number)
        if len(equation.invars) != len(same.invars):
            continue
        pairs = zip(equation.invars, same.invars, strict=True)
        for position, (a, b) in enumerate(pairs):
            if _is_float(a, np.float32) and _is_float(b, np.float64):
                full = float(b.val)
                if abs(full) <= _LARGEST and np.float32(full) == np.float32(a.val):
                    yield (site, position), full
        if is_call(equation):
            yield from _found(called(equation), called(same), site)
        elif equation.primitive.name == "scan":
            inner, other_inner = (closed(each.params["jaxpr"]) for each in (equation, same))
            yield from _found(inner, other_inner, site)


def _matched(mine: Sequence[str], theirs: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Yield the pairs of equations that stand in the same order in both."""
    if mine == theirs:
        yield from enumerate(range(len(mine)))
        return
    for a, b, size in SequenceMatcher(None, mine, theirs, autojunk=False).get_matching_blocks():
        yield from ((a + k, b + k) for k in range(size))


def _word(equation: Any) -> str:
    return f"{equation.primitive.name} {equation.params.get('name', '')}"


def _is_float(atom: Any, dtype: Any) -> bool:
    return isinstance(atom, Literal) and atom.aval.shape == () and atom.aval.dtype == dtype
