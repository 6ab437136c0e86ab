"""The parameters behind the next value of a leaf: those whose gradients it is computed from.

Example: two networks, each with an optimiser of its own.

    g = gradient of a           m = 0.9 m + g           a = a - m           m: behind it is a
    h = gradient of b, at a     n = 0.9 n + h           b = b - n           n: behind it is b

h depends on the new a, and so on g; a gradient ends the way back.
"""

from __future__ import annotations

from collections.abc import Mapping

from jax.extend.core import Literal

from symmetry.jax.jaxprs.step import StepManner, TracedStep

_NONE = frozenset[int]()


def parameters_behind(step: TracedStep) -> Mapping[int, frozenset[int]]:
    """Return the parameters behind the next value of each leaf, by numbers."""
    flat = step.flat(StepManner())
    core, gradients = flat.jaxpr.jaxpr, step.gradients
    marked = {
        variable: frozenset([gradients[name]])
        for name, variable in zip(flat.outputs, core.outvars, strict=True)
        if name in gradients and not isinstance(variable, Literal)
    }
    behind: dict[object, frozenset[int]] = {}
    for equation in core.eqns:
        atoms = (atom for atom in equation.invars if not isinstance(atom, Literal))
        found = _NONE.union(*(behind.get(atom, _NONE) for atom in atoms))
        behind.update({v: marked.get(v, found) for v in equation.outvars})
    return {
        int(name.removeprefix("leaf.")): behind.get(variable, _NONE)
        for name, variable in zip(flat.outputs, core.outvars, strict=True)
        if name.startswith("leaf.") and not isinstance(variable, Literal)
    }
