"""Which random draws are noise of the model: they meet, entry by entry, what it makes of a batch.

Dropout multiplies activations, which come from parameters and from the batch. A draw that is the
batch itself, or initial weights, meets parameters in a product first.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from jax.extend.core import ClosedJaxpr, Literal

from symmetry.jax.jaxprs.interpreter import INLINED, Site, closed, is_key
from symmetry.jax.jaxprs.places import place_of

DRAWS = {"_bernoulli", "_normal", "_uniform", "_truncated_normal", "_gumbel", "_laplace"}
_MIXING = ("dot_general", "conv_general_dilated", "gather", "concatenate", "scatter-add")


class Draw(NamedTuple):
    """A call of a function of jax.random."""

    site: Site  # where it stands in the jaxpr of the step
    name: str  # that of the function: ``bernoulli``
    place: str  # the user's line
    fixed: bool = False  # whether its key is the same in each step


class _Origin(NamedTuple):
    """Where a value comes from."""

    leaf: bool = False
    data: bool = False  # a batch, an array that is not trained, or a draw
    varies: bool = False  # from step to step
    draws: frozenset[Draw] = frozenset()  # if it comes from no leaf


def noise_in(
    jaxpr: ClosedJaxpr, leaves: Sequence[bool], varies: Sequence[bool]
) -> tuple[Draw, ...]:
    """Return the draws that are noise of the model.

    ``leaves`` says of each input of the jaxpr whether it is a parameter, others are data; and
    ``varies`` whether it is another one in each step.
    """
    noise: dict[Draw, None] = {}
    batch: set[Draw] = set()

    def follow(jaxpr: ClosedJaxpr, args: Sequence[_Origin], around: Site) -> list[_Origin]:
        core = jaxpr.jaxpr
        env = {v: _Origin(data=getattr(v.aval, "ndim", 0) > 0) for v in core.constvars}
        env.update(zip(core.invars, args, strict=True))

        def read(atom: Any) -> _Origin:
            return _Origin() if isinstance(atom, Literal) else env[atom]

        for number, equation in enumerate(core.eqns):
            site, own = (*around, number), [*map(read, equation.invars)]
            name, leaf = equation.primitive.name, any(origin.leaf for origin in own)
            results: Sequence[_Origin] | None = None
            if name in INLINED:
                results = follow(closed(equation.params[INLINED[name]]), own, site)
                if is_draw(equation) and not leaf:
                    fixed = not any(origin.varies for origin in own)
                    draws = frozenset([_draw(equation, site)._replace(fixed=fixed)])
                    results = [_Origin(False, True, not fixed, draws) for _ in results]
            elif name == "scan":
                results = follow(closed(equation.params["jaxpr"]), own, site)
            if results is None:
                draws = frozenset[Draw]().union(*(origin.draws for origin in own))
                if name in _MIXING and leaf:
                    batch.update(draws)
                elif any(origin.leaf and origin.data for origin in own):
                    noise.update(dict.fromkeys(draws))
                data, moves = (any(origin[k] for origin in own) for k in (1, 2))
                origin = _Origin(leaf, data, moves, frozenset() if leaf else draws)
                results = [origin] * len(equation.outvars)
            env.update(zip(equation.outvars, results, strict=True))
        return [*map(read, core.outvars)]

    inputs = zip(leaves, varies, strict=True)
    follow(jaxpr, [_Origin(leaf, not leaf, moves) for leaf, moves in inputs], ())
    return tuple(draw for draw in noise if draw not in batch)


def draws_in(jaxpr: ClosedJaxpr, around: Site = ()) -> tuple[Draw, ...]:
    """Return all draws outside of loops."""
    found: list[Draw] = []
    for number, equation in enumerate(jaxpr.jaxpr.eqns):
        site, name = (*around, number), equation.primitive.name
        if is_draw(equation):
            found.append(_draw(equation, site))
        elif name in INLINED:
            found += draws_in(closed(equation.params[INLINED[name]]), site)
    return tuple(found)


def is_draw(equation: Any) -> bool:
    """Return whether an equation calls a function that draws random numbers by a key.

    Where a loop is differentiated, what such a function computes without its key is called alone.
    """
    named = equation.primitive.name in INLINED and equation.params.get("name") in DRAWS
    return named and any(is_key(atom.aval.dtype) for atom in equation.invars)


def _draw(equation: Any, site: Site) -> Draw:
    return Draw(site, equation.params["name"].strip("_"), str(place_of(equation)))


def is_random(equation: Any) -> bool:
    """Return whether an equation makes random bits, or keys."""
    return bool(equation.primitive.name.startswith(("random_", "threefry", "rng_")))
