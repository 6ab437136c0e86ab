"""One run of a script over shortened epochs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from symmetry.base.calls import calling
from symmetry.base.errors import TrainingError
from symmetry.base.raised import silenced
from symmetry.base.randomness import generators
from symmetry.base.randomness.seedings import unseeded
from symmetry.base.randomness.unseeded import giving_seeds
from symmetry.jax.executables import Executables
from symmetry.jax.script.calls import Enough
from symmetry.jax.script.epochs.calls import LoopCalls
from symmetry.jax.script.epochs.eager import EagerWatch
from symmetry.jax.script.epochs.record import epochs_of
from symmetry.jax.script.epochs.roles import Roles
from symmetry.sandbox.libraries import begun_again
from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.sandbox import Sandbox, Uninterrupted
from symmetry.sandbox.source import Source
from symmetry.training.events import Epochs, Updated

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
