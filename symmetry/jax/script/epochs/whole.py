"""One run of a script over shortened epochs.

It records the random numbers that the script draws outside of jitted functions, and the modes that
it switches.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import wraps
from typing import Any
from unittest.mock import patch

import jax
import numpy as np

from symmetry.base.calls import calling
from symmetry.base.errors import TrainingError
from symmetry.base.raised import silenced
from symmetry.base.randomness import generators
from symmetry.base.randomness.seedings import unseeded
from symmetry.base.randomness.unseeded import giving_seeds
from symmetry.jax.executables import Executables
from symmetry.jax.made import is_array
from symmetry.jax.script.calls import Enough
from symmetry.jax.script.epochs.calls import EagerDraw, LoopCalls, ModeSwitch, digest_of
from symmetry.jax.script.epochs.record import epochs_of
from symmetry.jax.script.epochs.roles import Roles
from symmetry.observe.source_line import NOWHERE, SourceLine, users_line
from symmetry.sandbox.libraries import begun_again
from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.sandbox import Sandbox, Uninterrupted
from symmetry.sandbox.source import Source
from symmetry.training.events import Epochs, Updated

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


_SECONDS = 20.0  # CPU seconds that it may take


def run_epochs(source: Source, mirrors: MirrorPool, executables: Executables, seed: int) -> Epochs:
    """Run a script to its end, or until there is nothing more to learn; return what it did.

    Raises
    ------
    TrainingError
        If it raises before its first update.
    """
    runs, error = list[LoopCalls](), None

    def begin() -> None:
        runs.append(LoopCalls(_SECONDS))
        go(source, mirrors, executables, seed, runs[-1])

    try:
        begun_again(begin)
    except TrainingError as raised:
        error = raised
    found = epochs_of(source.name, runs[-1], Roles(runs[-1].log), error)
    if error is not None and not found.of(Updated):
        raise error
    return found


def go(
    source: Source, mirrors: MirrorPool, executables: Executables, seed: int, run: LoopCalls
) -> None:
    """Run a script once, and record its calls in ``run``.

    Raises
    ------
    TrainingError
        If it raises.
    """
    names = unseeded()

    @contextmanager
    def watching() -> Iterator[None]:
        with run.watching(), EagerWatch(run).watching(), executables.known(), names as drawn:
            run.without_seed = drawn
            yield

    with generators.kept(generators.shared()), giving_seeds(), silenced():
        generators.seed_all(seed)
        sandbox = Sandbox(source, mirrors, watching, stack=Uninterrupted)
        run.mirror = sandbox.mirror
        try:
            with calling("epochs", source.name), suppress(Enough):
                sandbox.resume()
        finally:
            sandbox.close(throwing=lambda: None, free=lambda: None)
