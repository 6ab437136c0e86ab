"""A script as a function that makes a JAX training, as users write them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar, Self, TypeVar

from symmetry.base.errors import NotCheckable, SymmetryError, TrainingError
from symmetry.base.failure import Failure, PlainRun
from symmetry.base.randomness.held_seeds import HeldSeeds
from symmetry.base.updates import UpdateLog
from symmetry.jax.script.plain_outputs import record_plainly
from symmetry.sandbox.folder_mirror import WrittenFiles
from symmetry.sandbox.libraries import begun_again
from symmetry.sandbox.mirror_pool import MirrorPool
from symmetry.sandbox.sandbox import Sandbox, Uninterrupted
from symmetry.sandbox.source import Source
from symmetry.sandbox.witness import Witness
from symmetry.training import run_facts
from symmetry.training.events import Epochs
from symmetry.training.resumed_runs import ResumedRuns
from symmetry.training.resuming import WrittenRun, resumed_runs
from symmetry.training.run import AS_WRITTEN, Run, RunSettings
from symmetry.training.run_facts import RunFacts
from symmetry.training.target import FunctionTraining

if TYPE_CHECKING:
    from symmetry.jax.executables import Executables
    from symmetry.jax.script.jitting import Jitting
    from symmetry.training.updates import Updates

Found = TypeVar("Found")


class JaxScript:
    """Runs a script, each time it is called, until its step has been seen often enough.

    Parameters
    ----------
    source
        The script.

    Attributes
    ----------
    mirrors
        Where runs take a mirror of its folders from, and give it back to.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.mirrors = MirrorPool(*source.homes)
        self._has_begun = self._has_loop_of_jax = self._has_operations = False
        self.seeds = HeldSeeds()
        self._trained = dict[str, bool]()  # which functions make what is differentiated
        self._witness: Witness | None = None  # once it has begun
        self._log: UpdateLog | None = None  # of the first run

    def prepare(self) -> None:
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

    def epochs(self, seed: int, executables: Executables) -> Epochs | None:
        """Run it over shortened epochs; None if a loop of JAX takes its steps, all in one call."""
        from symmetry.jax.script.epochs.whole import run_epochs

        if self._has_loop_of_jax:
            return None
        self.prepare()
        return run_epochs(self.source, self.mirrors, executables, seed)

    def adapting(self, run: Callable[[], WrittenRun]) -> WrittenRun:
        """Run it: it has here what it needs."""
        return run()

    def resumed(self, arguments: tuple[str, ...], files: WrittenFiles) -> Self:
        """Return the script with other arguments, for runs from files that it has written."""
        other = copy(self)
        other.source = replace(self.source, arguments=arguments)
        other.mirrors = self.mirrors.filled(files)
        other.seeds, other._witness = HeldSeeds(), None
        return other

    def resumed_runs(self, seed: int, executables: Executables) -> ResumedRuns | None:
        """Resume it from its own files; None if it is not known how.

        Raises
        ------
        SymmetryError
            If it does not save, or does not resume.
        """
        from symmetry.jax.script.epochs.resumable import observe

        if self.source.resume_with is None:
            return None
        self.prepare()
        run = partial(observe, executables=executables)
        return resumed_runs(self, run, self.source.resume_with, seed)

    @cached_property
    def plain_run(self) -> PlainRun:
        """The run of the script in a process of its own."""
        return (self._witness or Witness(self.source)).whole()

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
        return self._cached("epochs", seed, self.make.epochs)

    @property
    def resumes(self) -> bool:
        """Whether it is resumed as its user does, to be checked for what goes another way."""
        return isinstance(self.make, JaxScript) and self.make.source.resume_with is not None

    @property
    def facts(self) -> RunFacts:
        """The facts that its runs have shown so far."""
        if not isinstance(self.make, JaxScript):
            return super().facts
        return run_facts.of_script(self.make.source, self._epochs_so_far(), self.make.seeds)

    def resumed(self, seed: int = 0) -> ResumedRuns | None:
        """Resume the script from its own files, once."""
        if not isinstance(self.make, JaxScript):
            return None
        return self._cached("resumed", seed, self.make.resumed_runs)

    def _cached(self, name: str, seed: int, run: Callable[[int, Executables], Found]) -> Found:
        """Return what a function finds that runs the script, once for each seed."""
        if (name, seed) not in self.cache:
            from symmetry.jax.executables import Executables

            self.begin(RunSettings(seed=seed)).close()  # so that it is known what takes its steps
            executables = self.cache.setdefault(Executables, Executables())
            self.cache[name, seed] = run(seed, executables)
        found: Found = self.cache[name, seed]
        return found

    def events(self, seed: int = 0, draw: int | None = None) -> Epochs | None:  # noqa: ARG002
        """Return None: its results over whole epochs are not compared."""
        return None

    def updates(self, seed: int = 0) -> Updates | None:
        """Return its first updates on a trace, once."""
        if not isinstance(self.make, JaxScript):
            return None
        if ("updates", seed) not in self.cache:
            from symmetry.jax.run import JaxRun
            from symmetry.jax.script.traced_updates import run_updates

            run = self.begin(RunSettings(seed=seed))
            self.cache["updates", seed] = run_updates(run) if isinstance(run, JaxRun) else None
        found: Updates | None = self.cache["updates", seed]
        return found

    def begin_witness(self, seed: int) -> None:
        """Let a plain run begin beside the first run, which is compared with it."""
        if isinstance(self.make, JaxScript):
            self.make.begin_witness(seed)

    @property
    def disturbance(self) -> str:
        """Where the first run parts from the plain one; empty if nowhere."""
        return self.make.disturbance if isinstance(self.make, JaxScript) else ""

    @property
    def failing_plainly(self) -> Failure | None:
        """The failure in which each plain run ends before its first calls; None without one."""
        return self.make.failing_plainly if isinstance(self.make, JaxScript) else None

    def plain_run(self) -> PlainRun:
        """Run the script in a process of its own, once."""
        return self.make.plain_run if isinstance(self.make, JaxScript) else super().plain_run()

    def close(self) -> None:
        """Remove what its runs have written."""
        if isinstance(self.make, JaxScript):
            self.make.close()
