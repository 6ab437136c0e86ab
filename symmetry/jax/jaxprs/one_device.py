"""Steps that are mapped over one device, as ``jax.pmap`` maps them: the same without a map.

    shard_map[mesh=Mesh('b': 1) jaxpr={ lambda ; c. let        c = ...
        d = psum[axes=('b',)] c                                e = mul c 2.0
        e = mul d 2.0 in (e,) }]

Maps over several devices stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import ClosedJaxpr

from symmetry.jax.jaxprs.interpreter import Interpreter, bind
from symmetry.jax.jaxprs.walk import called, closed, equations_in, equations_inside, is_call

# What combines the numbers of all devices, and hands them on if there is one.
_COMBINING = ("psum", "psum_invariant", "pmax", "pmin", "pvary", "pcast", "pbroadcast")
_OTHERS = ("ppermute", "all_to_all", "reduce_scatter", "psum_scatter", "axis_index", "all_gather")


def on_one_device(jaxpr: ClosedJaxpr) -> ClosedJaxpr:
    """Return a jaxpr without maps over one device; itself if it has none that can be left out."""
    mapped = [e for _, e in equations_in(jaxpr.jaxpr) if _is_alone(e)]
    if not mapped or any(e.primitive.name in _OTHERS for m in mapped for e in equations_inside(m)):
        return jaxpr
    run: Any = _Unmapping().run
    return jax.make_jaxpr(lambda *args: run(jaxpr, *args))(*jaxpr.in_avals)


class _Unmapping(Interpreter):
    """Evaluates maps over one device as if there was none; other calls stay calls."""

    def equation(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Return the results of an equation."""
        name, params = equation.primitive.name, equation.params
        if _is_alone(equation):
            return self.run(closed(params["jaxpr"]), *args)
        if name in _COMBINING:
            return [*map(jnp.asarray, args)]
        if is_call(equation) and any(map(_is_of_devices, equations_inside(equation))):
            return self.run(called(equation), *args)
        return bind(equation, args, params)


def _is_alone(equation: Any) -> bool:
    return bool(equation.primitive.name == "shard_map" and equation.params["mesh"].size == 1)


def _is_of_devices(equation: Any) -> bool:
    return _is_alone(equation) or equation.primitive.name in _COMBINING
