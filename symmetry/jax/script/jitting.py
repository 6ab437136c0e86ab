"""Stand-ins for ``jax.jit`` and ``jax.pmap`` while a script runs: they record calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import wraps
from typing import Any, ClassVar
from unittest.mock import patch

import jax

from symmetry.jax.script.arguments import arguments_of
from symmetry.jax.script.jitted import Jitted

_DONATED = ("donate_argnums", "donate_argnames")
_LIKE_JITTED = ("lower", "trace", "eval_shape", "clear_cache")


class Jitting(ABC):
    """Jits functions as ``jax.jit`` does, and records their calls."""

    donates: ClassVar[bool] = True  # whether arguments are donated as the script says

    def __init__(self) -> None:
        self._jit, self._pmap = jax.jit, jax.pmap

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Record the calls of functions that are jitted while the block runs."""
        with patch.multiple(jax, jit=self.jit, pmap=self.pmap):
            yield

    def jit(self, function: Any = None, **options: Any) -> Any:
        """Jit a function, as ``jax.jit`` does, and record its calls."""
        if function is None:
            return lambda late: self.jit(late, **options)
        return self._recording(self._jit, function, options)

    def pmap(self, function: Any, axis_name: Any = None, **options: Any) -> Any:
        """Map a function over devices, as ``jax.pmap`` does, and record its calls."""
        by_rows = all(options.get(axes, 0) == 0 for axes in ("in_axes", "out_axes"))
        options = {"axis_name": axis_name, **options}
        return self._recording(self._pmap, function, options, by_rows=by_rows)

    def _recording(
        self,
        compiler: Callable[..., Any],
        function: Any,
        options: Mapping[str, Any],
        *,
        by_rows: bool = False,
    ) -> Any:
        if not self.donates:
            options = {name: value for name, value in options.items() if name not in _DONATED}
        call = compiler(function, **options)
        name = getattr(function, "__name__", type(function).__name__)
        jitted = Jitted(name, function, call, arguments_of(function, options), by_rows=by_rows)

        @wraps(function)
        def recorded(*args: Any, **kwargs: Any) -> Any:
            jitted.note_names()
            leaves = jax.tree.leaves((args, kwargs))
            if any(isinstance(leaf, jax.core.Tracer) for leaf in leaves):
                return call(*args, **kwargs)
            return self._recorded(jitted, jitted.arguments.named(args, kwargs), args, kwargs)

        for attribute in _LIKE_JITTED:
            if hasattr(call, attribute):
                setattr(recorded, attribute, getattr(call, attribute))
        return recorded

    @abstractmethod
    def _recorded(
        self,
        jitted: Jitted,
        arguments: Mapping[str, Any],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
    ) -> Any:
        """Call a function, record that, and return its results.

        ``arguments`` are those of the call by name; ``args`` and ``kwargs`` as the script gives
        them.
        """
