"""A script as a function that makes a JAX training, as users write them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from symmetry.base.errors import NotCheckable, SymmetryError, TrainingError
from symmetry.base.failure import PlainRun
from symmetry.sandbox.libraries import begun_again
from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.plain_run import run_plainly
from symmetry.sandbox.sandbox import Sandbox, Uninterrupted
from symmetry.sandbox.source import Source
from symmetry.training.events import Epochs
from symmetry.training.run import AS_WRITTEN, Run, RunSettings
from symmetry.training.target import FunctionTraining

if TYPE_CHECKING:
    from symmetry.jax.executables import Executables
    from symmetry.jax.script.jitting import Jitting


class JaxScript:
    """Runs a script, each time it is called, until its step has been seen often enough.

    Parameters
    ----------
    source
        The script.
    """

    def __init__(self, source: Source) -> None:
        self._source = source
        self._mirrors = MirrorPool(*source.homes)
        self._has_begun = self._has_loop_of_jax = self._has_operations = False

    def prepare(self) -> None:
        """Make a mirror, which draws a name: that is no random number of the script's."""
        self._mirrors.give(self._mirrors.take())

    def __call__(self) -> Any:
        """Return what a training returns: the state, the step and the extras.

        If a loop of JAX trains, as ``lax.scan``, its body is the step. If jitted functions alone
        make no step, operations between their calls belong to it.

        Raises
        ------
        TrainingError
            If the script raises, or its step cannot be told.
        """
        made = begun_again(self._run) if self._has_begun else self._run()
        self._has_begun = True
        return made

    def _run(self) -> Any:
        """Run it; once more, with all operations, if its jitted functions alone make no step."""
        from symmetry.jax.loops.loop_search import LoopFound
        from symmetry.jax.script.calls import JittedCalls
        from symmetry.jax.script.operations import OperationCalls
        from symmetry.jax.script.repeated_step import lacks_gradients, training_of

        name, meant = self._source.name, self._source.meant

        def with_operations() -> Any:
            self._watched(calls := OperationCalls())
            return calls.training(name)

        if self._has_operations:
            return with_operations()
        calls, made, error = JittedCalls(), None, NotCheckable("")
        try:
            self._watched(calls)
            made = training_of(name, calls.functions, calls.log, meant)
        except LoopFound as found:
            self._has_loop_of_jax = True
            return found.loop.training()
        except NotCheckable as refused:
            error = refused
        if made is None or lacks_gradients(calls.functions):
            with suppress(TrainingError):
                made = begun_again(with_operations)
                self._has_operations = True
        if made is None:
            raise error
        return made

    def _watched(self, calls: Jitting) -> None:
        """Run it, until its calls are enough."""
        from symmetry.jax.script.calls import Enough

        sandbox = Sandbox(self._source, self._mirrors, calls.watching, stack=Uninterrupted)
        try:
            with suppress(Enough):
                sandbox.resume()
        finally:
            sandbox.close(throwing=lambda: None, free=lambda: None)

    def epochs(self, seed: int, executables: Executables) -> Epochs | None:
        """Run it over shortened epochs; None if a loop of JAX takes its steps, all in one call."""
        from symmetry.jax.script.epochs.whole import run_epochs

        if self._has_loop_of_jax:
            return None
        self.prepare()
        return run_epochs(self._source, self._mirrors, executables, seed)

    @cached_property
    def plain_run(self) -> PlainRun:
        """The run of the script in a process of its own."""
        return run_plainly(self._source)

    def close(self) -> None:
        """Remove the mirrors.

        Raises
        ------
        SymmetryError
            If a file of the user's has changed meanwhile.
        """
        self._mirrors.remove()
        changed = "" if callable(self._source.script) else self._mirrors.changed()
        if changed:
            raise SymmetryError(f"{self._source.name}: {changed}")


@dataclass(frozen=True)
class JaxScriptTraining(FunctionTraining):
    """A JAX training that is given as a script."""

    has_loop: ClassVar[bool] = True

    def begin(self, settings: RunSettings = AS_WRITTEN) -> Run:
        """Begin a run of the training that the script makes."""
        if isinstance(self.make, JaxScript):
            self.make.prepare()
        return super().begin(settings)

    def epochs(self, seed: int = 0, draw: int | None = None) -> Epochs | None:
        """Run the script over shortened epochs, once; never from parameters close by."""
        if draw is not None or not isinstance(self.make, JaxScript):
            return None
        if ("epochs", seed) not in self.cache:
            from symmetry.jax.executables import Executables

            self.begin(RunSettings(seed=seed)).close()  # so that it is known what takes its steps
            executables = self.cache.setdefault(Executables, Executables())
            self.cache["epochs", seed] = self.make.epochs(seed, executables)
        found: Epochs | None = self.cache["epochs", seed]
        return found

    def events(self, seed: int = 0, draw: int | None = None) -> Epochs | None:  # noqa: ARG002
        """Return None: its results over whole epochs are not compared."""
        return None

    def plain_run(self) -> PlainRun:
        """Run the script in a process of its own, once."""
        return self.make.plain_run if isinstance(self.make, JaxScript) else super().plain_run()

    def close(self) -> None:
        """Remove what its runs have written."""
        if isinstance(self.make, JaxScript):
            self.make.close()
