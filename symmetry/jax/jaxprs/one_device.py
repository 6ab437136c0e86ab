"""Steps that are mapped over devices, as ``jax.pmap`` and ``jax.shard_map`` do it, on one device.

    shard_map[mesh=Mesh('b': 2)              for each half of a, at the same time:
      in_specs=(P('b'),) out_specs=(P(),)      c = the sum of the half
      jaxpr={ lambda ; a. let                  d = the sum of both c
        c = reduce_sum a
        d = psum[axes=('b',)] c
        in (d,) }] a

Each device's part becomes a row of ``jax.vmap`` over an axis of the same name. So the gradients,
draws and units of such a step are seen like those of a step on one device. A mesh of one device
has no rows: the map's function is run on the whole arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr

from symmetry.jax.jaxprs.interpreter import LOOPS, Interpreter, bind
from symmetry.jax.jaxprs.walk import called, closed, equations_in, equations_inside, is_call

_NO_MESH = jax.sharding.AbstractMesh((), ())
_SUMS = ("psum", "psum_invariant")
_PLACES = {"sharding", "out_sharding"}  # parameters that say where a result lies
_RESHAPING = ("squeeze", "reshape", "broadcast_in_dim", "expand_dims")
_CASTS = ("pvary", "pcast", "pbroadcast")  # of a type: it says whether devices hold the same


def on_one_device(jaxpr: ClosedJaxpr) -> ClosedJaxpr:
    """Return a jaxpr without maps over devices.

    It is returned as it is if there is no such jaxpr: if devices compute different numbers for a
    result that their map declares to be the same on all of them.
    """
    if not any(_is_map(equation) for _, equation in equations_in(jaxpr.jaxpr)):
        return jaxpr
    run: Any = _Unmapping().run
    try:
        return jax.make_jaxpr(lambda *args: run(jaxpr, *args))(*jaxpr.in_avals)
    except Exception:  # of vmap, which has no such result
        return jaxpr


class _Unmapping(Interpreter):
    """Evaluates maps over devices as maps over rows; calls and loops without devices stay."""

    def __init__(self) -> None:
        super().__init__()
        self._reshaped: dict[int, tuple[Any, Any]] = {}  # by the id of a result: itself, and before

    def equation(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        """Return the results of an equation, which are placed on no mesh: arrays may have one."""
        with jax.sharding.use_abstract_mesh(_NO_MESH):
            return self._on_one_device(equation, args)

    def _on_one_device(self, equation: Any, args: Sequence[Any]) -> Sequence[Any]:
        name, params = equation.primitive.name, equation.params
        params = params | dict.fromkeys(params.keys() & _PLACES)
        if _is_map(equation):
            return self._rows(params, [*params["mesh"].axis_names], *args)
        if name in _CASTS:
            return args
        if name in _SUMS:
            return [jax.lax.psum(arg, params["axes"]) for arg in args]
        if any(map(_is_of_devices, equations_inside(equation))):
            if is_call(equation):
                return self.run(called(equation), *args)
            if name in LOOPS:
                return LOOPS[name](self, equation, args)
        if name in _RESHAPING and equation.outvars[0].aval.size == equation.invars[0].aval.size:
            return [self._as_before(equation, args, params)]
        return bind(equation, args, params)

    def _as_before(self, equation: Any, args: Sequence[Any], params: Any) -> Any:
        """Return an array in another shape: the same one if it had the shape before."""
        _, before = self._reshaped.get(id(args[0]), (None, args[0]))
        if before.shape == equation.outvars[0].aval.shape:
            return before
        (result,) = bind(equation, args, params)
        self._reshaped[id(result)] = result, before
        return result

    def _rows(self, params: Any, names: Sequence[str], *args: Any) -> Sequence[Any]:
        """Return the results of a map over some axes of its mesh."""
        if not names:
            return self.run(closed(params["jaxpr"]), *args)
        name, *inner = names
        size = params["mesh"].shape[name]
        if size == 1:  # only its number has a row
            alone = jax.vmap(
                partial(self._rows, params, inner), None, axis_name=name, axis_size=size
            )
            return [result.squeeze(0) for result in alone(*args)]
        takes, gives = (
            [_axis_of(name, spec) for spec in params[specs]] for specs in ("in_specs", "out_specs")
        )
        run = jax.vmap(
            partial(self._rows, params, inner), takes, gives, axis_name=name, axis_size=size
        )
        results = run(*(_split(arg, axis, size) for arg, axis in zip(args, takes, strict=True)))
        return [_joined(result, axis) for result, axis in zip(results, gives, strict=True)]


def _is_map(equation: Any) -> bool:
    return bool(equation.primitive.name == "shard_map")


def _is_of_devices(equation: Any) -> bool:
    return _is_map(equation) or equation.primitive.name in (*_SUMS, *_CASTS)


def _axis_of(name: str, spec: Any) -> int | None:
    """Return which axis of an array has parts along an axis of the mesh."""
    return next((n for n, own in enumerate(spec) if name == own or name in (own or ())), None)


def _split(array: Any, axis: int | None, parts: int) -> Any:
    """Return an array with an axis of parts before the axis within each part."""
    if axis is None:
        return array
    before, length, after = array.shape[:axis], array.shape[axis], array.shape[axis + 1 :]
    return array.reshape(*before, parts, length // parts, *after)


def _joined(array: Any, axis: int | None) -> Any:
    """Return an array whose parts lie one after the other."""
    if axis is None:
        return array
    before, (parts, length), after = (
        array.shape[:axis],
        array.shape[axis : axis + 2],
        array.shape[axis + 2 :],
    )
    return array.reshape(*before, parts * length, *after)
