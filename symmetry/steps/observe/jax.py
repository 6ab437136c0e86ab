"""Recording JAX: compilation is switched off, and every primitive is evaluated by itself.

The program that ``jit`` would compile is then the sequence of primitives of its jaxpr, gradients
and loops included. Fusing them is what the compiled step does on top of it, and that cannot be
observed.
"""

import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax._src.core import EvalTrace

from symmetry.observe.call import Call, Handle
from symmetry.observe.source_line import SourceLines
from symmetry.observe.tape import Tape
from symmetry.steps.observe.numpy import handle as numpy_handle
from symmetry.units.state import Array


@contextmanager
def observing(tape: Tape, places: SourceLines) -> Iterator[None]:
    """Tell a tape of every primitive that is evaluated with concrete arrays."""
    original = EvalTrace.process_primitive
    inside = False  # of a primitive that is made of others: it is one operation

    def process(self: Any, primitive: Any, args: Sequence[Any], params: Any) -> Any:
        nonlocal inside
        if inside:
            return original(self, primitive, args, params)
        inside = True
        try:
            if tape.skips():
                return original(self, primitive, args, params)
            call = _call(primitive, args, params, places)
            tape.before(call)
            results = original(self, primitive, args, params)
            listed = list(results) if primitive.multiple_results else [results]
            made = [n for n, result in enumerate(listed) if _readable(result)]
            mended = tape.after(call, [], [_handle(listed[n]) for n in made])
            for position, values in mended.items():
                listed[made[position]] = jnp.asarray(values)
            return listed if primitive.multiple_results else listed[0]
        finally:
            inside = False

    EvalTrace.process_primitive = process
    try:
        with jax.disable_jit():
            yield
    finally:
        EvalTrace.process_primitive = original


def _call(primitive: Any, args: Sequence[Any], params: Any, places: SourceLines) -> Call:
    slots = [n for n, arg in enumerate(args) if _readable(arg)]

    def perform(arrays: Sequence[Array]) -> list[Array]:
        given = dict(enumerate(args)) | dict(zip(slots, map(jnp.asarray, arrays), strict=True))
        results = primitive.bind(*given.values(), **params)
        listed = results if primitive.multiple_results else [results]
        return [np.asarray(result) for result in listed if _readable(result)]

    return Call(
        library="jax",
        name=primitive.name,
        place=places.here(),
        operands=tuple(_handle(args[n]) for n in slots),
        dtypes=tuple(str(args[n].dtype) for n in slots),
        perform=perform,
        random=primitive.name.startswith(("random_", "threefry", "rng_")),
    )


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
    values = np.asarray(array).view(np.ndarray)
    return Handle(values, id(array), lambda: reference() is not None, values.size)
