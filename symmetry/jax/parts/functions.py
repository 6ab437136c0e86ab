"""Custom derivatives: what the backward of a user's ``jax.custom_vjp`` claims, and differences."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.interpreters import partial_eval

from symmetry.base.raised import in_one_line
from symmetry.jax.jaxprs.custom import CustomCall
from symmetry.jax.jaxprs.walk import calls, equations_in, is_call
from symmetry.jax.stepper import Stepper
from symmetry.observe.source_line import SourceLine
from symmetry.training.trial import (
    HANDS_INPUT_ON,
    READS_ELSE,
    CustomFunction,
    Functions,
    Slope,
)

_TEST = "jax.test_util.check_grads"
_H = 1e-5  # of the differences, by the largest entry
_LEAST = 1e-3  # taken for the largest entry of an argument of zeros
# Operations without kinks and steps; a backward may replace the derivative of any other one.
_SMOOTH = re.compile(
    "add|add_any|sub|mul|div|neg|exp|exp2|log|log1p|expm1|tanh|logistic|sin|cos|sqrt|rsqrt|cbrt|"
    "pow|integer_pow|square|dot_general|conv_general_dilated|reduce_sum|broadcast_in_dim|reshape|"
    "transpose|convert_element_type|erf|erfc|cumsum|concatenate|slice|squeeze|rev|expand_dims|"
    "copy|name|pad|iota|sinh|cosh|atan|asinh"
)


class JaxFunctions(Functions):
    """Tries the custom functions that a step calls."""

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper

    def custom_functions(self) -> Sequence[CustomFunction]:
        """Take the next step; return the custom functions that it calls, each tried once more."""
        stepper = self._stepper
        calls, known = stepper.traced.custom, {*stepper.traced.flat(stepper.manner).outputs}
        names = [
            [f"custom.{number}.{k}" for k in range(len(call.shapes))]
            for number, call in enumerate(calls)
        ]
        wanted = tuple(name for own in names for name in own if name in known)
        values = stepper.take(wanted) if wanted else {}
        stepper.step()
        with jax.enable_x64(True):
            return [
                _tried(call, [values[name] for name in own])
                for call, own in zip(calls, names, strict=True)
                if all(name in values for name in own)  # others are called in a loop
            ]


def _tried(call: CustomCall, values: Sequence[Any]) -> CustomFunction:
    """Return the slopes that its backward returns along one direction of each argument."""
    code = call.backward.__code__
    name, place = call.function.__name__, SourceLine(code.co_filename, code.co_firstlineno)
    try:
        if tuple(value.shape for value in values) != call.shapes:
            return CustomFunction(name, place, why_not="it is called under vmap")
        given = [jnp.asarray(v, jnp.float64) if v.dtype.kind == "f" else v for v in values]
        why_not = _why_not(call, given)
        slopes = () if why_not else _slopes(call, given)
        return CustomFunction(name, place, tuple(slopes), why_not, _TEST)
    except Exception as error:
        text = f"it raises when it is called again: {in_one_line(error)}"
        return CustomFunction(name, place, why_not=text)


def _why_not(call: CustomCall, values: Sequence[Any]) -> str:
    """Say why its backward need not be the derivative of its forward; nothing if it has to be."""
    forward = jax.make_jaxpr(call.function.fun)(*values)
    _, used = partial_eval.dce_jaxpr(forward.jaxpr, [True] * len(forward.jaxpr.outvars))
    if not all(used):
        return READS_ELSE
    if any(output in forward.jaxpr.invars for output in forward.jaxpr.outvars):
        return HANDS_INPUT_ON
    if other := _rough(forward):
        return f"its forward is not smooth ({other})"
    results, kept = call.function.fwd(*values)
    ones = jax.tree.map(jnp.ones_like, results)
    if any(np.ndim(const) for const in jax.make_jaxpr(call.function.bwd)(kept, ones).consts):
        return READS_ELSE
    return ""


def _rough(jaxpr: Any) -> str:
    """Return the first operation that has kinks or steps, if any."""
    names = (e.primitive.name for _, e in equations_in(jaxpr.jaxpr, calls) if not is_call(e))
    return next((str(name) for name in names if not _SMOOTH.fullmatch(name)), "")


def _slopes(call: CustomCall, values: Sequence[Any]) -> list[Slope]:
    random = np.random.default_rng(0)
    results, pull = jax.vjp(call.function, *values)
    weights = jax.tree.map(lambda r: jnp.asarray(random.standard_normal(r.shape)), results)
    weights = jax.tree.map(lambda w, r: w.astype(r.dtype), weights, results)
    gradients = pull(weights)
    names = call.function.fun.__code__.co_varnames

    def slope(k: int) -> Slope:
        direction = random.choice([-1.0, 1.0], values[k].shape)

        def along(distance: float) -> float:
            moved = [v + distance * direction if n == k else v for n, v in enumerate(values)]
            terms = jax.tree.map(lambda r, w: (r * w).sum(), call.function.fun(*moved), weights)
            return float(sum(jax.tree.leaves(terms)))

        h = _H * max(float(abs(values[k]).max()), _LEAST)
        wide, narrow = ((along(d) - along(-d)) / (2 * d) for d in (h, h / 2))
        terms = np.asarray(gradients[k]) * direction
        size = float(abs(terms).sum()) + abs(narrow)
        return Slope(names[k] if k < len(names) else "", float(terms.sum()), wide, narrow, size)

    return [slope(k) for k, value in enumerate(values) if value.dtype.kind == "f" and value.size]
