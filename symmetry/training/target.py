"""A training by name, of which runs begin.

Given as a function without parameters, a training makes a model and its step:

    def training():
        model = Net()
        optimizer = torch.optim.AdamW(model.parameters(), 1e-3)

        def step(i): ...

        return model, step

Extras may follow in a dictionary: ``"batch"`` is a function of the step, and steps are called with
what it returns; ``"evaluate"`` is a function of nothing or of the model, which leaves the training
as it was; ``"save"`` and ``"load"`` are functions of a folder; other keys name further objects with
a state.

Other floors use it so (``Run`` is in ``symmetry.training.run``):

    run = FunctionTraining("train.py:training", training).begin(RunSettings(dtype="float64"))
    initial = run.state()                   # {"model.fc1.weight": array, ...}
    run.load({"model.fc1.weight": other})   # writes into the tensors that the objects hold
    run.step()                              # step 0; then 1, 2, ...
    run.loss                                # of what step 0 called backward on, or returned

Runs are independent: each is made anew under the same seeds, and has random states of its own, so
that steps of several runs may take turns.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

from symmetry.base.errors import Failure, TargetError, TrainingError
from symmetry.base.updates import PlainRun
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training import frameworks, run_facts
from symmetry.training.events import Epochs
from symmetry.training.rank_runs import RankRuns
from symmetry.training.resumed_runs import ResumedRuns
from symmetry.training.run import AS_WRITTEN, Run, RunSettings
from symmetry.training.run_facts import RunFacts
from symmetry.training.updates import Updates
from symmetry.units.dtypes import DTYPES

Result = TypeVar("Result")
_STEPS = 12  # of a function that are compared beyond the first ones


class Training(ABC):
    """A training by name. Runs of it begin on fresh objects.

    Attributes
    ----------
    name
        As the user typed it, or ``module:attribute`` of a callable.
    sequential
        Whether a run takes whole steps alone, one after the other from the first one on, as a
        script does. Others can be restored at any step, and end in the middle of one.
    has_loop
        Whether there is a loop around its steps that can be run over whole epochs.
    """

    name: str
    sequential: ClassVar[bool] = False
    has_loop: ClassVar[bool] = False
    dtypes: ClassVar[tuple[str, ...]] = DTYPES
    builtin: ClassVar[bool] = False

    @property
    @abstractmethod
    def framework(self) -> str:
        """The name of the framework that it is written in; empty as long as no run has begun."""

    @property
    def expect_units(self) -> Mapping[str, int]:
        """How many units some groups must have, by the beginnings of their names."""
        return {}

    @property
    def ranks(self) -> int:
        """How many ranks it runs on, to be checked for what differs between them."""
        return 1

    def on_ranks(self) -> RankRuns | None:
        """Run it on several ranks, once, before anything else; None if it has one rank.

        Raises
        ------
        SymmetryError
            If it fails there.
        """
        return None

    @property
    def resumes(self) -> bool:
        """Whether it is resumed as its user does, to be checked for what goes another way."""
        return False

    @property
    def facts(self) -> RunFacts:
        """The facts that its runs have shown so far."""
        return RunFacts()

    def resumed_runs(self, seed: int = 0) -> ResumedRuns | None:  # noqa: ARG002
        """Run it whole, interrupted and resumed, once; None if it is not known how to resume it.

        Raises
        ------
        SymmetryError
            If it does not save, or does not resume.
        """
        return None

    @abstractmethod
    def begin(self, settings: RunSettings = AS_WRITTEN) -> Run:
        """Make fresh objects, under the same seeds of all random numbers every time.

        Raises
        ------
        TrainingError
            If the training raises, or is not a training.
        SymmetryError
            If its framework is too old.
        """

    def with_run(self, function: Callable[[Run], Result], settings: RunSettings) -> Result:
        """Return what a function returns, called with a fresh run with these settings.

        It may be called in another process: only its result is left, which must be one that can
        be pickled. The function must begin no other run.
        """
        return function(self.begin(settings))

    def can_fork(self) -> bool:
        """Return whether runs may begin in a fork of this process, too, which leaves those here."""
        return False

    def leave_runs(self) -> None:  # noqa: B027
        """Leave all runs to the process that this one is a fork of: they share files with it."""

    @abstractmethod
    def epochs(self, seed: int = 0, draw: int | None = None) -> Epochs | None:
        """Run whole epochs, once; None if the training says nothing of epochs.

        With a ``draw``, which is a number, they begin from parameters that are moved by about one
        ulp.

        Raises
        ------
        TrainingError
            If it raises before its first update.
        """

    def events(self, seed: int = 0, draw: int | None = None) -> Epochs | None:
        """Return what there is to compare beyond the first steps: whole epochs, or more steps."""
        return self.epochs(seed, draw)

    def begin_witness(self, seed: int) -> None:  # noqa: B027
        """Let a plain run begin beside the first runs, which are compared with it."""

    @property
    def disturbance(self) -> str:
        """Where the first run as it is written parts from the plain one; empty if nowhere."""
        return ""

    @property
    def hash_order(self) -> SourceLine:
        """A line that makes a set, if it is another training under another hash seed."""
        return NOWHERE

    @property
    def failing_plainly(self) -> Failure | None:
        """The failure in which each plain run ends before its first updates; None without one."""
        return None

    def updates(self, seed: int = 0) -> Updates | None:  # noqa: ARG002
        """Return its first updates on a trace; None if its framework makes none of whole updates.

        Raises
        ------
        TrainingError
            If it raises before its first update.
        """
        return None

    @abstractmethod
    def plain_run(self) -> PlainRun:
        """Run it as its user does: only a failure that repeats there is its own."""

    @abstractmethod
    def close(self) -> None:
        """End all its runs: nothing that they have written is left.

        Raises
        ------
        SymmetryError
            If a script has changed a file of the user's.
        """


@dataclass(frozen=True)
class FunctionTraining(Training):
    """A training that is given as a function."""

    name: str
    # The function: it returns ``(model, step)`` or ``(model, step, extras)``; for JAX a state
    # instead of the model.
    make: Callable[[], Any]
    # Facts that its runs have in common, such as its framework.
    cache: dict[Any, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def framework(self) -> str:
        """The name of the framework that it is written in; empty as long as no run has begun."""
        return frameworks.name_of(self.cache)

    @property
    def expect_units(self) -> Mapping[str, int]:
        """How many units some groups must have, by the beginnings of their names.

        Raises
        ------
        TrainingError
            If the function's attribute is something else.
        """
        pins = getattr(self.make, "expect_units", {})
        if isinstance(pins, Mapping) and all(
            isinstance(name, str) and isinstance(count, int) for name, count in pins.items()
        ):
            return pins
        raise TrainingError(
            f"{self.name}: its attribute expect_units must map names of units to their numbers, "
            f'such as {{"fc1": 33}}, but it is {pins!r}'
        )

    @property
    def facts(self) -> RunFacts:
        """The facts that its runs with ``evaluate`` between the steps have shown so far."""
        return run_facts.of_epochs([e for e in self.cache.values() if isinstance(e, Epochs)])

    def begin(self, settings: RunSettings = AS_WRITTEN) -> Run:
        """Call the function, and let its framework begin a run of what it makes."""
        return frameworks.begin(self.name, self.make, settings, self.cache)

    def epochs(self, seed: int = 0, draw: int | None = None) -> Epochs | None:
        """Take some steps with ``evaluate`` between them; None if the function returns no such."""
        return self._epochs(seed, draw, None)

    def events(self, seed: int = 0, draw: int | None = None) -> Epochs | None:
        """Take more steps, with ``evaluate`` between them if the function returns it."""
        return self._epochs(seed, draw, _STEPS)

    def _epochs(self, seed: int, draw: int | None, steps: int | None) -> Epochs | None:
        key = "epochs", seed, draw, steps
        if key not in self.cache:
            if not self.framework:
                self.begin().close()
            options: dict[str, int | None] = {"seed": seed, "draw": draw, "steps": steps}
            self.cache[key] = frameworks.epochs(self.name, self.make, self.cache, **options)
        result: Epochs | None = self.cache[key]
        return result

    def plain_run(self) -> PlainRun:
        """Take more steps than those that are judged, as they are written."""
        try:
            run = self.begin()
            for _ in range(_STEPS):
                run.step()
        except TargetError as error:
            return PlainRun(error.failure)
        return PlainRun()

    def close(self) -> None:
        """Do nothing: a run of a function ends with its objects."""
