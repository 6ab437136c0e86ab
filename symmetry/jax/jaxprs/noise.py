"""Which random draws are noise of the model: they meet, entry by entry, what it makes of a batch.

Dropout multiplies activations, which come from parameters and from the batch. A draw that is the
batch itself, or initial weights, meets parameters in a product first. Dropout is a draw of truth
values that keeps an activation, or puts zero in its place. A draw of one truth value for each
sample only chooses samples.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import numpy as np
from jax.extend.core import ClosedJaxpr
from jax.interpreters import partial_eval

from symmetry.jax.jaxprs.interpreter import is_key, kind_of
from symmetry.jax.jaxprs.places import place_of
from symmetry.jax.jaxprs.walk import Site, Walk, calls, closed, equations_in, is_call
from symmetry.observe.source_line import SourceLine

DRAWS = {"_bernoulli", "_normal", "_uniform", "_truncated_normal", "_gumbel", "_laplace"}
_SAME = ("broadcast_in_dim", "convert_element_type", "reshape", "squeeze", "transpose", "copy")
_MIXING = ("dot_general", "conv_general_dilated", "gather", "concatenate", "scatter-add")


class Draw(NamedTuple):
    """A call of a function of jax.random."""

    site: Site  # where it stands in the jaxpr of the step
    name: str  # the name of the function: ``bernoulli``
    at: SourceLine  # the user's line
    fixed: bool = False  # whether its key is the same in each step
    drops: bool = False  # whether it is dropout
    keys: tuple[int, ...] = ()  # the shape of its keys: empty if there is one

    @property
    def place(self) -> str:
        """The user's line, as it is shown."""
        return str(self.at)


class _Origin(NamedTuple):
    """Where a value comes from."""

    leaf: bool = False
    data: bool = False  # a batch, an array that is not trained, or a draw
    varies: bool = False  # from step to step
    draws: frozenset[Draw] = frozenset()  # if it comes from no leaf
    zero: bool = False  # whether all its entries are zero
    mask: bool = False  # whether it is 0 or 1 by a draw


def noise_for(
    outputs: Collection[int], jaxpr: ClosedJaxpr, leaves: Sequence[bool], varies: Sequence[bool]
) -> tuple[Draw, ...]:
    """Return the draws that are noise of the model, and that some outputs depend on.

    Their sites are those of a jaxpr that computes these outputs only.
    """
    wanted = [number in outputs for number in range(len(jaxpr.jaxpr.outvars))]
    core, _ = partial_eval.dce_jaxpr(jaxpr.jaxpr, wanted, instantiate=True)
    return noise_in(ClosedJaxpr(core, jaxpr.consts), leaves, varies)


def noise_in(
    jaxpr: ClosedJaxpr, leaves: Sequence[bool], varies: Sequence[bool]
) -> tuple[Draw, ...]:
    """Return the draws that are noise of the model.

    ``leaves`` says of each input of the jaxpr whether it is a parameter, others are data; and
    ``varies`` whether it is another one in each step.
    """
    walk = _OriginWalk()
    inputs = zip(leaves, varies, strict=True)
    walk.run(jaxpr, *(_Origin(leaf, not leaf, moves) for leaf, moves in inputs))
    noise = (draw for draw in walk.noise if draw not in walk.batch)
    return tuple(draw._replace(drops=draw in walk.dropouts) for draw in noise)


class _OriginWalk(Walk[_Origin]):
    """Finds the draws that are noise, and those that are the batch; a round stands for a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.rules = {"scan": _OriginWalk._scan}
        self.noise: dict[Draw, None] = {}
        self.batch: set[Draw] = set()
        self.dropouts: set[Draw] = set()

    def constant(self, value: Any, variable: Any) -> _Origin:  # noqa: ARG002
        """Return where an array comes from."""
        return _Origin(data=getattr(variable.aval, "ndim", 0) > 0)

    def literal(self, atom: Any) -> _Origin:
        """Return that a number comes from nowhere."""
        return _Origin(zero=np.ndim(atom.val) == 0 and bool(atom.val == 0))

    def equation(self, equation: Any, args: Sequence[_Origin]) -> Sequence[_Origin]:
        """Return where the results of an equation come from; from itself, if it is a draw."""
        site, results = self.site, super().equation(equation, args)
        if not is_draw(equation) or any(origin.leaf for origin in args):
            return results
        fixed = not any(origin.varies for origin in args)
        draws = frozenset([_draw(equation, site)._replace(fixed=fixed)])
        mask = equation.params["name"] == "_bernoulli" and _has_axes(equation)
        return [_Origin(False, True, not fixed, draws, mask=mask) for _ in results]

    def operation(self, equation: Any, args: Sequence[_Origin]) -> Sequence[_Origin]:
        """Return where all operands come from; look at draws among them."""
        leaf, data, varies = (any(origin[k] for origin in args) for k in range(3))
        draws = frozenset[Draw]().union(*(origin.draws for origin in args))
        if equation.primitive.name in _MIXING and leaf:
            self.batch.update(draws)
        elif any(origin.leaf and origin.data for origin in args):
            self.noise.update(dict.fromkeys(draws))
            if _drops(equation, args):
                self.dropouts.update(draws)
        shown = frozenset[Draw]() if leaf else draws
        origin = _Origin(leaf, data, varies, shown, *_zero_and_mask(equation, args, shown))
        return [origin] * len(equation.outvars)

    def _scan(self, equation: Any, args: Sequence[_Origin]) -> Sequence[_Origin]:
        return self.run(closed(equation.params["jaxpr"]), *args)


def _drops(equation: Any, args: Sequence[_Origin]) -> bool:
    """Return whether an equation keeps entries by a draw, and puts zero in the place of others."""
    if equation.primitive.name == "select_n":
        chosen, *cases = args
        return chosen.mask and any(case.zero for case in cases)
    return equation.primitive.name == "mul" and any(origin.mask for origin in args)


def _zero_and_mask(
    equation: Any, args: Sequence[_Origin], draws: frozenset[Draw]
) -> tuple[bool, bool]:
    """Return whether results are zero, and whether they are 0 or 1 by a draw."""
    if equation.primitive.name in _SAME:
        return args[0].zero, args[0].mask
    mask = any(origin.mask for origin in args)
    if equation.primitive.name in ("mul", "div") and mask:
        return False, all(origin.mask or not origin.data for origin in args)
    are_bits = all(kind_of(v.aval.dtype) == "b" for v in equation.outvars)
    return False, bool(draws) and are_bits and _has_axes(equation)


def _has_axes(equation: Any) -> bool:
    """Return whether results have units beside samples: a mask of one axis chooses samples."""
    return all(v.aval.ndim > 1 for v in equation.outvars)


def draws_in(jaxpr: ClosedJaxpr) -> tuple[Draw, ...]:
    """Return all draws outside of loops."""
    found = equations_in(jaxpr.jaxpr, lambda e: () if is_draw(e) else calls(e))
    return tuple(_draw(equation, site) for site, equation in found if is_draw(equation))


def is_draw(equation: Any) -> bool:
    """Return whether an equation calls a function that draws random numbers by a key.

    Where a loop is differentiated, what such a function computes without its key is called alone.
    """
    named = is_call(equation) and equation.params.get("name") in DRAWS
    return named and any(is_key(atom.aval.dtype) for atom in equation.invars)


def _draw(equation: Any, site: Site) -> Draw:
    keys = next(tuple(atom.aval.shape) for atom in equation.invars if is_key(atom.aval.dtype))
    return Draw(site, equation.params["name"].strip("_"), place_of(equation), keys=keys)


def is_random(equation: Any) -> bool:
    """Return whether an equation makes random bits, or keys."""
    return bool(equation.primitive.name.startswith(("random_", "threefry", "rng_")))
