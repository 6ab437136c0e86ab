"""The functions with a derivative of the user's own: ``jax.custom_vjp``.

While a step is traced, the arguments of their first calls are marked: ``custom.0.1`` is argument 1
of function 0. Autodiff replaces the calls by what the user wrote, so the jaxpr itself has none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import unwrap
from typing import Any, NamedTuple
from unittest.mock import patch

import jax

from symmetry.base.user_code import is_user_code
from symmetry.jax.jaxprs.marks import mark


class CustomCall(NamedTuple):
    """The first call of a function with a derivative of the user's own."""

    function: Any
    shapes: tuple[tuple[int, ...], ...]  # the shapes of its arguments

    @property
    def backward(self) -> Callable[..., Any]:
        """The function that computes the gradients."""
        found: Callable[..., Any] = unwrap(self.function.bwd)
        return found


@contextmanager
def watching() -> Iterator[list[CustomCall]]:
    """Collect the first calls that are made while the block runs, and mark their arguments."""
    calls: list[CustomCall] = []
    known: set[int] = set()
    original = jax.custom_vjp.__call__

    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        arrays = [arg for arg in args if hasattr(arg, "shape") and hasattr(arg, "dtype")]
        plain = len(arrays) == len(args) and not kwargs and not function.nondiff_argnums
        if plain and id(function) not in known and _is_own(function):
            known.add(id(function))
            for number, array in enumerate(arrays):
                mark(array, f"custom.{len(calls)}.{number}", numbered=False)
            calls.append(CustomCall(function, tuple(array.shape for array in arrays)))
        return original(function, *args, **kwargs)

    with patch.object(jax.custom_vjp, "__call__", call):
        yield calls


def _is_own(function: Any) -> bool:
    backward = unwrap(getattr(function, "bwd", None) or (lambda: None))
    return is_user_code(getattr(getattr(backward, "__code__", None), "co_filename", ""))
