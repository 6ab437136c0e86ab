"""A script as a training: it makes the model and the step anew for each run."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, ClassVar

from symmetry.base import ranks
from symmetry.base.calls import calling, running
from symmetry.base.errors import Failure, NotCheckable, TrainingError
from symmetry.base.fork import ForkError, held
from symmetry.base.raised import silenced
from symmetry.base.randomness import generators
from symmetry.base.randomness.held_seeds import HeldSeeds
from symmetry.base.randomness.unseeded import giving_seeds
from symmetry.base.updates import PlainRun, UpdateLog
from symmetry.observe.source_line import SourceLine
from symmetry.sandbox.libraries import begun_again
from symmetry.sandbox.source import Source
from symmetry.torch.script.forks import Forks, can_fork
from symmetry.training import frameworks
from symmetry.training.capabilities.batching import Arrangement
from symmetry.training.events import Epochs
from symmetry.training.run import AS_WRITTEN, Run, RunSettings
from symmetry.training.run_facts import RunFacts
from symmetry.training.script import Found, ScriptTraining
from symmetry.training.target import Result
from symmetry.training.updates import Updates

if TYPE_CHECKING:
    from symmetry.sandbox.folder_mirror import FolderMirror
    from symmetry.torch.script.execution import Execution
    from symmetry.torch.script.host import Host
    from symmetry.torch.script.rows import SampleRows
    from symmetry.torch.script.samples import Samples
    from symmetry.torch.script.tensors import Path
    from symmetry.training.rank_runs import RankRuns
    from symmetry.training.resumed_runs import ResumedRuns

_STEPS = 3  # updates, after which two runs are compared


class Script(ScriptTraining):
    """A PyTorch script, which runs up to its first training step each time that it is called.

    Runs without a reference are ended before the next one begins: not while another script is
    running, as a finaliser would.
    """

    framework = "torch"
    sequential: ClassVar[bool] = True

    def __init__(self, source: Source) -> None:
        super().__init__(source)
        self._by_hand = False  # whether it updates without an optimiser
        self._names: Sequence[Path] | None = None  # of tensors that it trains without a module
        self._rows: SampleRows | None = None  # that it reads for a batch, if no loader makes any
        # Its state after its first steps, if its evaluations are worth cutting short.
        self._whole: tuple[Any, ...] | None = None
        self._cut = False  # whether evaluations are cut short, which its steps do not need
        self._unused: list[Execution] = []
        self._alive: weakref.WeakSet[Execution] = weakref.WeakSet()
        self._begun, self._has_begun = 0, False  # how often; whether it has reached a step
        self._prepared = False
        self._forks = Forks(may=not callable(source.script))
        self._held = frozenset[str]()  # by this process, before the first run
        self._seconds: float | None = None  # of the cheapest start but for the first
        self._rank_runs: RankRuns | None = None
        self._log: UpdateLog | None = None  # of the first run as it is written

    @cached_property
    def _host(self) -> Host:
        from symmetry.torch.script.host import Host  # PyTorch is imported for a run, not before

        return Host(self.source)

    @property
    def facts(self) -> RunFacts:
        """The facts that its runs have shown so far."""
        if "_host" not in vars(self):
            return RunFacts()
        host, runs, how = self._host, self._rank_runs, self._host.substitution
        if how is not None and runs is not None and not (runs.each or runs.failure):
            how = replace(how, ranks=1)  # it does not use them
        rounded = host.witness.rounded if host.compares else ""
        return replace(super().facts, substitution=how, rounded=rounded)

    @property
    def seeds(self) -> HeldSeeds:
        """The numbers that it seeds generators with."""
        return self._host.seeds

    @property
    def ranks(self) -> int:
        """How many ranks it runs on, to be checked for what differs between them."""
        return self.source.ranks

    def prepare(self) -> None:
        """Run the first step once: where steps begin, what updates, what it lacks, what a batch is.

        Raises
        ------
        TrainingError
            If the script ends before it trains.
        """
        if not self._prepared:
            self._held = held() if self._forks.possible else self._held
            self._host.adapting(self._rehearse)
            self._prepared = True
            if self._whole is not None:
                self._cut = self._steps_alike()

    def begin_witness(self, seed: int) -> None:
        """Let a plain run begin beside the first runs, which are compared with it."""
        if not callable(self.source.script):
            self._host.seed, self._host.compares = seed, True
            self._host.witness.begin()

    @property
    def disturbance(self) -> str:
        """Where the first run as it is written parts from the plain one; empty if nowhere."""
        return self._host.disturbance(self._log)

    @property
    def hash_order(self) -> SourceLine:
        """A line that makes a set, if the script is another one under another hash seed."""
        return self._host.hash_order

    def new_log(self, settings: RunSettings) -> UpdateLog | None:
        """Return where the first run as it is written adds its updates; None for other runs."""
        as_written = settings.order is None and settings == replace(AS_WRITTEN, seed=settings.seed)
        if self._log is None and as_written:
            self._log = self._host.new_log(settings.seed)
            return self._log
        return None

    def _rehearse(self) -> None:
        with generators.kept(generators.shared()), giving_seeds(), silenced():
            while not self._takes_first_step():
                pass

    def _takes_first_step(self) -> bool:
        """Run the script up to its second step; return whether it is known where steps begin."""
        from symmetry.torch.script.step_boundary import NoCall, NoOptimizer

        try:
            self._take_first_step()
        except NoOptimizer:
            self._by_hand = True
        except NoCall as trains:
            self._names = trains.names
        else:
            return True
        return False

    def _take_first_step(self) -> None:
        from symmetry.torch.script.execution import Execution
        from symmetry.torch.script.row_reads import RowReads

        generators.seed_all(0)
        begin = partial(Execution, self._host, by_hand=self._by_hand, names=self._names)
        execution = begin(reads=RowReads())
        self._has_begun = True
        with closing(execution):
            try:
                with calling("first step", self.source.name):
                    execution.step()  # or to its end
            except TrainingError as error:
                if self._host.lacks(error):
                    raise
            finally:
                self._by_hand = self._by_hand or execution.by_hand
                self._rows = execution.rows
            if execution.evaluations.are_dear and ranks.world() == 1:  # ranks call what others do
                self._whole = _further(execution, _STEPS - 1)

    def _steps_alike(self) -> bool:
        """Return whether it takes the same steps, bit by bit, if its evaluations are cut short."""
        short = self._few_steps(cut=True)
        alike = short is not None and (
            short == self._whole or short == self._few_steps(cut=False)  # the first run imports
        )
        running.evaluations, running.evaluated = 0, 0.0  # later runs may evaluate less
        return alike

    def _few_steps(self, *, cut: bool) -> tuple[Any, ...] | None:
        """Return what it holds after a few steps; None if it raises."""
        with generators.kept(generators.shared()), giving_seeds(), silenced():
            generators.seed_all(0)
            try:
                execution = begun_again(self._beginning(cut=cut))
            except TrainingError:
                return None
            with closing(execution):
                return _further(execution, _STEPS)

    def _beginning(self, **options: Any) -> Callable[[], Execution]:
        """Return a function that begins a run as far as it is known how; see ``Execution``."""
        from symmetry.torch.script.execution import Execution

        return partial(
            Execution,
            self._host,
            by_hand=self._by_hand,
            names=self._names,
            rows=self._rows,
            **options,
        )

    def __call__(
        self, order: Arrangement | None = None, log: UpdateLog | None = None
    ) -> tuple[Any, ScriptStep]:
        """Return what a training returns: the model, and the step.

        The samples of each batch are in this ``order``, or micro-batches get other samples; None
        leaves them as they are. The first updates are added to a ``log``.
        """
        if self._forks.inside:
            raise ForkError("it begins another run")
        if self._begun == 1 and (changed := self._host.changed()):  # not to go on doing so
            raise TrainingError(f"{self.source.name}: {changed}")
        while self._unused:
            self._unused.pop().close()
        self._collect()
        begin = self._beginning(order=order, cut=self._cut, log=log)
        began = time.process_time()
        # It may need its samples in their order.
        execution = begun_again(begin) if self._has_begun and order is None else begin()
        if self._begun > 1:  # the first imports libraries
            took = time.process_time() - began
            self._seconds = took if self._seconds is None else min(took, self._seconds)
        self._has_begun = True
        self._alive.add(execution)
        step = ScriptStep(execution)
        weakref.finalize(step, self._unused.append, execution).atexit = False
        return execution.model, step

    def begin(self, settings: RunSettings = AS_WRITTEN) -> Run:
        """Run the script up to its first step.

        It has made its first batch by then, in the ``order``. The initial parameters of its models
        may differ: other parts of a script draw random numbers, too.
        """
        self.prepare()
        make = partial(self, settings.order, self.new_log(settings))
        return frameworks.registered()["torch"].begin(self.name, make, settings, None)

    def with_run(self, function: Callable[[Run], Result], settings: RunSettings) -> Result:
        """Call a function with a run, which is a fork of an earlier one where that pays."""
        return self._forks.with_run(function, settings, self.begin, self._seconds)

    def can_fork(self) -> bool:
        """Return whether runs may begin in a fork of this process, too."""
        return self._forks.possible and self._prepared and can_fork(self._held)

    def leave_runs(self) -> None:
        """Leave all runs to the process that this one is a fork of, and their files with them."""
        self._left = self._unused, self._alive, self._forks  # one that is freed is ended
        self._unused, self._alive = [], weakref.WeakSet()
        self._forks = Forks(may=True)
        self._host.leave_runs()

    def epochs(self, seed: int = 0, draw: int | None = None) -> Epochs:
        """Run it over whole epochs, once for each seed and draw.

        Raises
        ------
        TrainingError
            If it raises before its first update.
        """
        from symmetry.torch.script.epochs.whole import run_epochs

        run = partial(self._alone, partial(run_epochs, self._host, seed, draw))
        return self._once(("epochs", seed, draw), lambda: self._host.adapting(run))

    def updates(self, seed: int = 0) -> Updates:
        """Run it up to its first updates, once for each seed; return them on a trace."""
        from symmetry.torch.script.traced_updates import run_updates

        run = partial(run_updates, self._host, seed)
        return self._once(("updates", seed), lambda: self._alone(run))

    def _alone(self, run: Callable[[], Found]) -> Found:
        """Run it otherwise than step by step, without the runs that nothing refers to."""
        while self._unused:
            self._unused.pop().close()
        return begun_again(run) if self._has_begun else run()

    def on_ranks(self) -> RankRuns | None:
        """Run it on its ranks, once; None if it has one.

        Raises
        ------
        SymmetryError
            If it fails there.
        """
        if self.source.ranks == 1:
            return None
        from symmetry.torch.script.ranks.rank_runs import run_on_ranks

        if self._rank_runs is None:
            self._rank_runs = run_on_ranks(self.source, Script)
        return self._rank_runs

    def resumed_runs(self, seed: int = 0) -> ResumedRuns | None:
        """Resume it from its own files, once; None if it is not known how.

        Raises
        ------
        SymmetryError
            If it does not save, or does not resume.
        """
        if (arguments := self.source.resume_with) is None:
            return None
        from symmetry.torch.script.resuming.observed_run import observe
        from symmetry.training.resuming import resumed_runs

        run = partial(resumed_runs, self._host, observe, arguments, seed)
        return self._once(("resumed", seed), run)

    @property
    def failing_plainly(self) -> Failure | None:
        """The failure in which each plain run ends before its first updates; None without one."""
        return self._host.failing_plainly

    def plain_run(self) -> PlainRun:
        """Run the script in a process of its own, once."""
        return self._once("plain", self._host.plain_run)

    def close(self) -> None:
        """End all runs.

        Raises
        ------
        SymmetryError
            If a file of the user's has changed meanwhile.
        """
        self._forks.close()
        for execution in (*self._unused, *self._alive):
            execution.close()
        self._unused.clear()
        if "_host" in vars(self):
            self._host.close()

    def _collect(self) -> None:
        """Free what earlier runs have left in circles, as a Lightning trainer does.

        What libraries made when the first run imported them is not looked through every time.
        """
        if self._begun:
            gc.collect()
        if self._begun == 1:
            if not gc.get_freeze_count():  # else somebody froze objects for good
                weakref.finalize(self, gc.unfreeze)
            gc.freeze()
        self._begun += 1


def _further(execution: Execution, steps: int) -> tuple[Any, ...] | None:
    """Return what a run holds after further steps, or at its end; None if one raises."""
    from symmetry.torch.script.epochs.log import states

    try:
        with suppress(NotCheckable):  # it has ended
            for _ in range(steps):
                execution.step()
        return *execution.digests, *states().values()
    except TrainingError:
        return None


class ScriptStep:
    """Lets a script go on to its next training step."""

    __slots__ = ("__weakref__", "_execution")  # what the script holds is not looked through

    def __init__(self, execution: Execution) -> None:
        self._execution = execution

    def __call__(self, number: int) -> None:
        """Take the next step."""
        if number == 0:  # the first update may have begun, before anybody could see it
            for optimizer in self._execution.inside:
                for hook in [*optimizer._optimizer_step_pre_hooks.values()]:
                    hook(optimizer, (), {})
        self._execution.step()

    @property
    def samples(self) -> Samples:
        """The samples of its batches."""
        return self._execution.samples

    @property
    def arguments(self) -> Any:
        """The arguments of the call that the next step begins with."""
        return self._execution.arguments

    @property
    def evaluated(self) -> list[float]:
        """The sums of what models have computed without gradients since its last update."""
        return self._execution.evaluated

    @property
    def mirror(self) -> FolderMirror:
        """The mirror that it writes into."""
        return self._execution.mirror

    def close(self) -> None:
        """End the script where it is."""
        self._execution.close()
