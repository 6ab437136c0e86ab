"""Random numbers that a script draws outside of jitted functions, and modes that it switches."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any
from unittest.mock import patch

import jax
import numpy as np

from symmetry.jax.made import is_array
from symmetry.jax.script.epochs.calls import EagerDraw, LoopCalls, ModeSwitch, digest_of
from symmetry.observe.source_line import NOWHERE, SourceLine, users_line

_MAKING = "key", "PRNGKey"
_DRAWING = "randint", "choice"


class EagerWatch:
    """Adds draws and switches to the log of a run.

    Parameters
    ----------
    run
        The calls of the run.
    """

    def __init__(self, run: LoopCalls) -> None:
        self._run = run
        self._made: dict[str, SourceLine] = {}  # the lines that made keys last, by their digests

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See what is done while the block runs."""
        with ExitStack() as stack:
            for name in _MAKING:
                stack.enter_context(patch.object(jax.random, name, self._making(name)))
            for name in _DRAWING:
                stack.enter_context(patch.object(jax.random, name, self._drawing(name)))
            for owner, name, function in self._switches():
                stack.enter_context(patch.object(owner, name, function))
            yield

    def _making(self, name: str) -> Callable[..., Any]:
        original = getattr(jax.random, name)

        @wraps(original)
        def make(*args: Any, **kwargs: Any) -> Any:
            key = original(*args, **kwargs)
            if not isinstance(key, jax.core.Tracer):
                digest, at = digest_of(key), users_line()
                self._made[digest] = at
                self._run.log.append(EagerDraw(at, name, digest, 0, at))
            return key

        return make

    def _drawing(self, name: str) -> Callable[..., Any]:
        original = getattr(jax.random, name)

        @wraps(original)
        def draw(key: Any, *args: Any, **kwargs: Any) -> Any:
            drawn = original(key, *args, **kwargs)
            if is_array(key) and not isinstance(drawn, jax.core.Tracer):
                digest, at = digest_of(key), users_line()
                made = self._made.get(digest, NOWHERE)
                size = np.shape(drawn)[0] if np.ndim(drawn) else 0
                self._run.log.append(EagerDraw(at, name, digest, size, made))
            return drawn

        return draw

    def _switches(self) -> Iterator[tuple[Any, str, Callable[..., Any]]]:
        """Yield the functions of libraries that switch modes, and what stands in for them."""
        if "flax.nnx" in sys.modules:
            module = sys.modules["flax.nnx"].Module
            for name in ("eval", "train"):
                yield module, name, self._switching(getattr(module, name), name == "train")
        if "equinox" in sys.modules:
            library = sys.modules["equinox"]
            made = self._switching(library.nn.inference_mode, None)
            yield library.nn, "inference_mode", made

    def _switching(self, original: Callable[..., Any], training: bool | None) -> Callable[..., Any]:
        @wraps(original)
        def switch(*args: Any, **kwargs: Any) -> Any:
            to = training
            if to is None:  # of Equinox: the second argument says whether it evaluates
                to = not kwargs.get("value", args[1] if len(args) > 1 else True)
            self._run.log.append(ModeSwitch(users_line(), to, training is None))
            return original(*args, **kwargs)

        return switch
