"""A script as a function that makes a JAX training, as users write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from symmetry.base.errors import Failure, NotCheckable, SymmetryError, TrainingError
from symmetry.base.randomness.held_seeds import HeldSeeds
from symmetry.base.updates import PlainRun, UpdateLog
from symmetry.jax.script.plain_outputs import record_plainly
from symmetry.sandbox.folder_mirror import WrittenFiles
from symmetry.sandbox.libraries import begun_again
from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.sandbox import Sandbox, Uninterrupted
from symmetry.sandbox.source import Source
from symmetry.sandbox.witness import Witness
from symmetry.training import frameworks
from symmetry.training.events import Epochs
from symmetry.training.resumed_runs import ResumedRuns
from symmetry.training.resuming import WrittenRun, resumed_runs
from symmetry.training.run import AS_WRITTEN, Run, RunSettings
from symmetry.training.script import ScriptTraining

if TYPE_CHECKING:
    from symmetry.jax.executables import Executables
    from symmetry.jax.script.jitting import Jitting
    from symmetry.training.updates import Updates


class JaxScript(ScriptTraining):
    """A JAX script, which runs until its step has been seen often enough, each time it is called.

    Attributes
    ----------
    mirrors
        Where runs take a mirror of its folders from, and give it back to.
    """

    framework = "jax"

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self.mirrors = MirrorPool(*source.homes)
        self._has_begun = self._has_loop_of_jax = self._has_operations = False
        self._seeds = HeldSeeds()
        self._cache: dict[Any, Any] = {}  # for what its runs have in common
        self._trained = dict[str, bool]()  # which functions make what is differentiated
        self._witness: Witness | None = None  # once it has begun
        self._log: UpdateLog | None = None  # of the first run

    @property
    def seeds(self) -> HeldSeeds:
        """The numbers that it seeds generators with."""
        return self._seeds

    def begin(self, settings: RunSettings = AS_WRITTEN) -> Run:
        """Begin a run of the training that the script makes."""
        self._prepare()
        return frameworks.registered()["jax"].begin(self.name, self, settings, self._cache)

    def _prepare(self) -> None:
        """Make a mirror, which draws a name: that is no random number of the script's."""
        self.mirrors.give(self.mirrors.take())

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
        from symmetry.jax.loop_training import LoopFound
        from symmetry.jax.script.calls import JittedCalls
        from symmetry.jax.script.operations import OperationCalls
        from symmetry.jax.script.repeated_step import lacks_gradients, training_of

        name, meant = self.source.name, self.source.meant

        def with_operations() -> Any:
            self._watched(calls := OperationCalls())
            return calls.training(name)

        if self._has_operations:
            return with_operations()
        calls, made, error = JittedCalls(self._trained), None, NotCheckable("")
        if self._witness is not None and self._log is None:
            self._log = UpdateLog()
            calls.record(self._log)
        try:
            self._watched(calls)
            made = training_of(name, calls.functions, calls.log, meant)
        except LoopFound as found:
            self._has_loop_of_jax = True
            return found.loop.training()
        except NotCheckable as refused:
            error = refused
        if made is None or lacks_gradients(calls.functions, calls.log):
            with suppress(TrainingError):
                made = begun_again(with_operations)
                self._has_operations = True
        if made is None:
            raise error
        return made

    def _watched(self, calls: Jitting) -> None:
        """Run it, until its calls are enough."""
        from symmetry.jax.script.calls import Enough

        holding = self.seeds.of_run()

        @contextmanager
        def watching() -> Iterator[None]:
            with holding(), calls.watching():
                yield

        sandbox = Sandbox(self.source, self.mirrors, watching, stack=Uninterrupted)
        try:
            with suppress(Enough):
                sandbox.resume()
        finally:
            sandbox.close(throwing=lambda: None, free=lambda: None)

    def epochs(self, seed: int = 0, draw: int | None = None) -> Epochs | None:
        """Run it over shortened epochs, once; never from parameters close by.

        None if a loop of JAX takes its steps, all in one call.
        """
        from symmetry.jax.script.epochs.whole import run_epochs

        def run() -> Epochs | None:
            executables = self._executables(seed)
            if self._has_loop_of_jax:
                return None
            self._prepare()
            return run_epochs(self.source, self.mirrors, executables, seed)

        return None if draw is not None else self._once(("epochs", seed), run)

    def events(self, seed: int = 0, draw: int | None = None) -> Epochs | None:  # noqa: ARG002
        """Return None: its results over whole epochs are not compared."""
        return None

    def updates(self, seed: int = 0) -> Updates | None:
        """Return its first updates on a trace, once."""
        from symmetry.jax.run import JaxRun
        from symmetry.jax.script.traced_updates import run_updates

        def run() -> Updates | None:
            begun = self.begin(RunSettings(seed=seed))
            return run_updates(begun) if isinstance(begun, JaxRun) else None

        return self._once(("updates", seed), run)

    def _executables(self, seed: int) -> Executables:
        """Return what the script has compiled, once it is known what takes its steps."""
        from symmetry.jax.executables import Executables

        self.begin(RunSettings(seed=seed)).close()
        found: Executables = self._cache.setdefault(Executables, Executables())
        return found

    def adapting(self, run: Callable[[], WrittenRun]) -> WrittenRun:
        """Run it: it has here what it needs."""
        return run()

    def resumed(self, arguments: tuple[str, ...], files: WrittenFiles) -> Self:
        """Return the script with other arguments, for runs from files that it has written."""
        other = copy(self)
        other.source = replace(self.source, arguments=arguments)
        other.mirrors = self.mirrors.filled(files)
        other._seeds, other._witness = HeldSeeds(), None
        return other

    def resumed_runs(self, seed: int = 0) -> ResumedRuns | None:
        """Resume it from its own files, once; None if it is not known how.

        Raises
        ------
        SymmetryError
            If it does not save, or does not resume.
        """
        from symmetry.jax.script.epochs.resumable import observe

        if (arguments := self.source.resume_with) is None:
            return None

        def run() -> ResumedRuns:
            executables = self._executables(seed)
            self._prepare()
            return resumed_runs(self, partial(observe, executables=executables), arguments, seed)

        return self._once(("resumed", seed), run)

    def plain_run(self) -> PlainRun:
        """Run the script in a process of its own, once."""
        return self._once("plain", lambda: (self._witness or Witness(self.source)).whole())

    def begin_witness(self, seed: int) -> None:
        """Let a plain run begin beside the first run, which is compared with it."""
        if not callable(self.source.script):
            import jax  # noqa: F401 - so that a fork of this process need not import it

            self._witness = Witness(
                self.source, recorder=record_plainly, seed=seed, framework="jax"
            )
            self._witness.begin()

    @property
    def disturbance(self) -> str:
        """Where the first run parts from the plain one; empty if nowhere."""
        witness = self._witness
        return "" if witness is None else witness.disturbance(self._log, self.seeds.numbers)

    @property
    def failing_plainly(self) -> Failure | None:
        """The failure in which each plain run ends before its first calls; None without one."""
        return None if self._witness is None else self._witness.failing

    def close(self) -> None:
        """Remove the mirrors.

        Raises
        ------
        SymmetryError
            If a file of the user's has changed meanwhile.
        """
        if self._witness is not None:
            self._witness.close()
        self.mirrors.remove()
        changed = "" if callable(self.source.script) else self.mirrors.changed()
        if changed:
            raise SymmetryError(f"{self.source.name}: {changed}")
