"""Running averages in the jaxpr of a step, and those whose new value no later step is given.

Example: the first moment of Adam, and a step that returns the old one.

    a = mul g 0.1
    b = mul m 0.9           m is an input that is the same in each step
    c = add a b             the new m: c should be handed on in its place

An average is ``decay * old + (1 - decay) * new``, and most of it is the old one. Momentum, which is
``decay * old + gradient``, counts if the old one is zero, as it is before the first step. A value
that is handed on in another place is no new one of its input: weights may be pulled towards others.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NamedTuple

import numpy as np
from jax.extend.core import ClosedJaxpr, Literal

from symmetry.jax.jaxprs.interpreter import is_key
from symmetry.jax.jaxprs.places import place_of
from symmetry.observe.source_line import SourceLine

_SAME = {"convert_element_type", "copy", "copy_p", "reshape", "broadcast_in_dim", "transpose"}
_SAME |= {"squeeze", "name", "optimization_barrier", "reduce_precision", "sharding_constraint"}
_LEAST = 0.5  # of the old value
_CLOSE = 1e-5  # of decay and 1 - decay, in float32
_ADDING = ("add", "add_any")


class Average(NamedTuple):
    """A new value that is computed for an input which stays."""

    input: int  # its number
    at: SourceLine  # the line that computes it
    of_gradients: bool  # whether it averages what comes from a gradient
    # Whether a loss or a gradient depends on it; or a score, as of weights mixed with their start.
    is_read: bool


class _Share(NamedTuple):
    """A value that is another one times a number."""

    of: Any  # the other value; an input by its number
    factor: float


def averages_in(
    jaxpr: ClosedJaxpr,
    steady: Collection[int],
    zeros: Collection[int],
    trained: Collection[int],
    gradients: Collection[Any],
    losses: Collection[Any],
    handed: Collection[Any],
    scores: Collection[Any] = (),
) -> list[Average]:
    """Return the averages whose old value is an input that is the same in each step.

    Parameters
    ----------
    jaxpr
        That of a step, without calls.
    steady, zeros, trained
        The numbers of the inputs that are the same in each step, those of them that are zero, and
        those of the inputs that are trained.
    gradients, losses, handed, scores
        The variables that are gradients, losses, leaves of the next state, and numbers that are
        returned beside it.
    """
    core = jaxpr.jaxpr
    numbers = {
        v: float(c) for v, c in zip(core.constvars, jaxpr.consts, strict=True) if _is_number(c)
    }
    old: dict[Any, int] = {core.invars[n]: n for n in steady}
    shares: dict[Any, _Share] = {}
    learnt = {core.invars[n] for n in trained}
    computed = {v for v in gradients if not isinstance(v, Literal)}
    found: list[tuple[Any, Average]] = []
    for equation in core.eqns:
        atoms = [a for a in equation.invars if not isinstance(a, Literal)]
        name, results = equation.primitive.name, equation.outvars
        if any(a in computed for a in atoms):
            computed.update(results)
        if any(a in learnt for a in atoms):
            learnt.update(results)
        values = [_value(atom, numbers) for atom in equation.invars]
        known = [value for value in values if value is not None]
        if name in ("sub", *_SAME) and len(known) == len(values):
            numbers[results[0]] = known[0] - sum(known[1:])
        if name in _SAME and len(results) == len(atoms) == 1:
            if atoms[0] in old:
                old[results[0]] = old[atoms[0]]
            if atoms[0] in shares:
                shares[results[0]] = shares[atoms[0]]
        elif name == "mul" and (factor := _factor(equation, numbers)) is not None:
            shares[results[0]] = _Share(old.get(factor[0]), factor[1])
        elif name in _ADDING:
            found += [
                (results[0], each) for each in _sums(equation, shares, zeros, learnt, computed)
            ]
    read, moved = _read_by(core, {*losses, *gradients}), _same_as(core, handed)
    scored = _read_by(core, scores)
    return [
        average._replace(
            is_read=variable in read or (variable in scored and average.input not in zeros)
        )
        for variable, average in found
        if variable not in moved and core.invars[average.input].aval.size == variable.aval.size
    ]


def _sums(
    equation: Any,
    shares: Mapping[Any, _Share],
    zeros: Collection[int],
    learnt: Collection[Any],
    computed: Collection[Any],
) -> list[Average]:
    """Return the average that a sum computes; none if it computes no such thing."""
    if len(equation.invars) != 2 or any(isinstance(a, Literal) for a in equation.invars):
        return []
    for old, new in (equation.invars, equation.invars[::-1]):
        share, other = shares.get(old), shares.get(new)
        if share is None or share.of is None or not _LEAST <= share.factor < 1:
            continue
        if other is not None and other.of is not None:
            continue
        of_gradients = new in computed
        complement = other is not None and abs(share.factor + other.factor - 1) < _CLOSE
        if complement and (of_gradients or new in learnt):
            return [Average(share.of, place_of(equation), of_gradients, is_read=False)]
        if of_gradients and share.of in zeros:
            return [Average(share.of, place_of(equation), of_gradients, is_read=False)]
    return []


def _factor(equation: Any, numbers: Mapping[Any, float]) -> tuple[Any, float] | None:
    """Return the value that an equation multiplies by a number, and the number."""
    for one, other in (equation.invars, equation.invars[::-1]):
        number = _value(other, numbers)
        if number is not None and not isinstance(one, Literal):
            return one, number
    return None


def _value(atom: Any, numbers: Mapping[Any, float]) -> float | None:
    """Return the number that an atom is; None if it is an array, or depends on inputs."""
    if isinstance(atom, Literal):
        return float(atom.val) if np.ndim(atom.val) == 0 and not is_key(atom.aval.dtype) else None
    return numbers.get(atom)


def _is_number(const: Any) -> bool:
    return getattr(const, "shape", None) == () and getattr(const.dtype, "kind", "") == "f"


def _read_by(core: Any, outputs: Collection[Any]) -> set[Any]:
    """Return the variables that some outputs depend on."""
    used = {v for v in outputs if not isinstance(v, Literal)}
    for equation in reversed(core.eqns):
        if any(v in used for v in equation.outvars):
            used.update(a for a in equation.invars if not isinstance(a, Literal))
    return used


def _same_as(core: Any, outputs: Collection[Any]) -> set[Any]:
    """Return the variables that are outputs, but for their shape and dtype."""
    found = {v for v in outputs if not isinstance(v, Literal)}
    for equation in reversed(core.eqns):
        if equation.primitive.name in _SAME and found.intersection(equation.outvars):
            found.update(a for a in equation.invars if not isinstance(a, Literal))
    return found
