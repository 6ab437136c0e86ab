"""Compiling with little work: quickly, and nothing twice.

XLA takes seconds to optimise programs that run for milliseconds. No verdict needs that: invariants
compare runs of the same program, or measure what rounding does to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import jax
from jax._src import compiler

_OPTIONS = {"xla_backend_optimization_level": 0}


def quickly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function as ``jax.jit`` does, compiled in half of the time; it runs a third longer.

    In the trace of another function it is a part of that.
    """
    compiled = jax.jit(function, compiler_options=_OPTIONS)

    def called(*args: Any) -> Any:
        traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(args))
        return (function if traced else compiled)(*args)

    return called


class Executables:
    """The programs that make a training, compiled by XLA.

    A training is made several times. Its functions are new objects each time, so JAX compiles them
    again, though their programs have the same text.
    """

    def __init__(self) -> None:
        self._known: dict[Any, Any] = {}

    @contextmanager
    def known(self) -> Iterator[None]:
        """Compile only programs that are not known while the block runs, and these quickly."""
        original = compiler.compile_or_get_cached

        def compiled(*given: Any, **named: Any) -> Any:
            backend, module, devices, options, callbacks = given[:5]
            if callbacks:  # functions of Python, which the text does not tell apart
                return original(*given, **named)
            for name, value in _OPTIONS.items():
                setattr(options.executable_build_options.debug_options, name, value)
            text = module.operation.get_asm(enable_debug_info=False)
            numbers = tuple(device.id for device in devices.flat)
            key = backend, text, numbers, options.SerializeAsString()
            if key not in self._known:
                self._known[key] = original(*given, **named)
            return self._known[key]

        with patch.object(compiler, "compile_or_get_cached", compiled):
            yield
