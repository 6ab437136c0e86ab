"""Observing JAX: compilation is switched off, and every primitive is evaluated by itself.

What ``jit`` would compile is then the sequence of primitives of its jaxpr, gradients and loops
included. Fusing them is what the compiled step does on top of it, and that cannot be observed.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax._src.core import EvalTrace
from numpy.typing import NDArray

from symmetry.culprit.call import Call, Observer, Operation
from symmetry.culprit.geometry import Handle
from symmetry.culprit.numpy import handle as numpy_handle
from symmetry.culprit.place import place

_VIEWING = ("reshape", "squeeze", "transpose", "stop_gradient", "copy", "copy_p")
_SHAPED = ("iota", "create_token")


@contextmanager
def observing(observer: Observer) -> Iterator[None]:
    """Tell ``observer`` of every primitive that is evaluated with concrete arrays."""
    original = EvalTrace.process_primitive
    inside = False  # of a primitive that is made of others: it is one operation

    def process(self: Any, primitive: Any, args: Sequence[Any], params: Any) -> Any:
        nonlocal inside
        if inside:
            return original(self, primitive, args, params)
        inside = True
        try:
            return observed(self, primitive, args, params)
        finally:
            inside = False

    def observed(self: Any, primitive: Any, args: Sequence[Any], params: Any) -> Any:
        args = list(args)
        arrays = [(n, arg) for n, arg in enumerate(args) if _readable(arg)]
        call = Call(
            name=primitive.name,
            place=place(),
            operands=tuple(_handle(array) for _, array in arrays),
            operation=_operation(primitive, args, [n for n, _ in arrays], params),
            shaped=primitive.name in _SHAPED,
            random=primitive.name.startswith(("random_", "threefry", "rng_")),
            joined=params.get("dimension") if primitive.name == "concatenate" else None,
        )
        observer.before(call)
        results = original(self, primitive, args, params)
        listed = list(results) if primitive.multiple_results else [results]
        made = [n for n, result in enumerate(listed) if _readable(result)]
        repaired = observer.after(call, [_handle(listed[n]) for n in made])
        for position, values in repaired.items():
            listed[made[position]] = jnp.asarray(values)
        return listed if primitive.multiple_results else listed[0]

    EvalTrace.process_primitive = process
    try:
        with jax.disable_jit():
            yield
    finally:
        EvalTrace.process_primitive = original


def _operation(
    primitive: Any, args: Sequence[Any], places: Sequence[int], params: Any
) -> Operation:
    others = {n: arg for n, arg in enumerate(args) if n not in places}

    def perform(arrays: Sequence[NDArray[Any]]) -> list[NDArray[Any]]:
        given = dict(zip(places, map(jnp.asarray, arrays), strict=True)) | others
        results = primitive.bind(*(given[n] for n in sorted(given)), **params)
        listed = results if primitive.multiple_results else [results]
        return [np.asarray(result) for result in listed if _readable(result)]

    dtypes = tuple(str(args[n].dtype) for n in places)
    return Operation(perform, lambda _: None, "jax", dtypes)


def _readable(value: Any) -> bool:
    """Return whether a value is an array of numbers, not a key or a token."""
    return (
        isinstance(value, jax.Array | np.ndarray)
        and value.size > 0
        and isinstance(value.dtype, np.dtype)
        and value.dtype.kind in "biufc"
    )


def _handle(array: Any) -> Handle:
    if isinstance(array, np.ndarray):
        return numpy_handle(array)
    reference = weakref.ref(array)
    return Handle(np.asarray(array).view(np.ndarray), id(array), lambda: reference() is not None)
