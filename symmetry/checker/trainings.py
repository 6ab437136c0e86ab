"""Checking a training: its invariants in the precision it is written for, and promoted."""

from __future__ import annotations

import gc
import sys
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from symmetry.base.calls import running
from symmetry.base.errors import (
    BudgetSpent,
    Disturbed,
    ExtrasError,
    Failure,
    LossNotFinite,
    NotCheckable,
    SymmetryError,
    TargetError,
    Unjudged,
)
from symmetry.base.memory import give_back, refuse_beyond_memory
from symmetry.base.raised import in_one_line, missing_package
from symmetry.base.user_code import shorten
from symmetry.checker.ahead import Ahead
from symmetry.checker.examiner import Examiner, verdict_of
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.verdict import LOSS_NOT_FINITE, Verdict
from symmetry.finding.naming import module_of
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.invariant import Invariant
from symmetry.law.measurement import UNSEEDED, Measurement, Violation
from symmetry.observe.source_line import SourceLine
from symmetry.training.promoted import departure
from symmetry.training.run_facts import RunFacts, united
from symmetry.training.start import TrainingStart
from symmetry.training.target import Training
from symmetry.units.words import count

_DEAR = 0.5  # CPU seconds of a first run, from which on a fork pays
_LARGE = 0.05  # of a budget: after such a first run, one in float64, 4 times as dear, has to wait
_PROMOTED = 10  # copies of the state that little can be judged without in float64
_NO_HIDDEN = "no layer has two hidden units: the trained parameters have inputs and outputs alone"
_NOISE = {
    **dict.fromkeys(("bernoulli", "native_dropout"), "dropout"),
    **dict.fromkeys(("normal", "randn", "randn_like"), "normal noise"),
    **dict.fromkeys(("uniform", "rand", "rand_like"), "uniform noise"),
}


_Found = tuple[Measurement, RunFacts]


class TrainingExaminer(Examiner):
    """The starts of a training, and what went wrong in them."""

    def __init__(
        self, training: Training, plan: Plan, progress: Progress, pins: Mapping[str, int]
    ) -> None:
        super().__init__(plan, progress)
        self._training = training
        # Ranks with different numbers would wait for each other in all that follows.
        self.invariants = sorted(plan.invariants, key=lambda invariant: not invariant.stops)
        self._starts = {
            dtype: TrainingStart(training, dtype, plan.options.seed, plan.options.steps, pins=pins)
            for dtype in plan.dtypes
        }
        # Dtypes in which not even a plain run works, and why.
        self._broken: dict[str, tuple[str, Failure | None]] = {}
        # The verdict that says why a loss of the first steps is not finite.
        self._loss: Verdict | None = None
        self._examined = 0  # how many verdicts there are so far
        self._told = False  # whether it was said why a plain run does not work
        self._unjudged = ""  # why nothing else is judged
        self._on_ranks = False  # whether it was run on several ranks
        self._departed = ""  # where its promoted runs are another training
        self._not_alone = ""  # why it is not judged as one rank
        self._later: list[str] = []  # precisions in which it runs once the others are judged
        self._disturbed = ""  # where its runs part from a plain one
        self._searched = False  # whether units were looked for
        self._why_none = ""  # why there are no units
        # Names and places of random operations inside modules, and where other noise is drawn.
        self._random: dict[tuple[str, str], None] = {}
        self._noise: dict[str, None] = {}
        self._held: dict[str, None] = {}  # what all runs get, in lines
        self._tasks = [(verdict.about, verdict.dtype) for verdict in self.planned()]
        self._seconds: dict[str, float] = {}  # of CPU, that the first run took
        self._ahead = Ahead[_Found](self._measured_ahead, 0)
        self._shown: list[RunFacts] = []  # by forks

    def begin(self) -> None:
        """Run it on its ranks, and resume it; then see in which precisions it runs as one.

        There it has to fit into memory, and to give finite losses.

        Raises
        ------
        SymmetryError
            If nothing can be checked. The message begins with how it ran, if it lacks a device.
        """
        try:
            self._begin()
        except SymmetryError as error:
            how = self._training.facts.substitution
            if how is None or not how.device:
                raise
            raise SymmetryError(f"{how.words}: {error}") from error

    def _begin(self) -> None:
        if self.plan.options.witness:
            self._training.begin_witness(self.plan.options.seed)
        if any(_entry(each).ranks for each in self.invariants):
            self.progress.case("runs on several ranks", "float32", 0, 1, None)
            # Processes can be forked where nothing has run.
            self._on_ranks = self._training.on_ranks() is not None
        if any(_entry(each).resumes for each in self.invariants):
            self.progress.case("resumed runs", "float32", 0, 1, None)
            # Nothing is checked if it cannot be resumed.
            self._training.resumed_runs(self.plan.options.seed)
        for dtype in self._starts:
            try:
                self._try(dtype)
            except SymmetryError as error:
                if not self._on_ranks:
                    raise
                self._not_alone = f"it does not run as one rank: {error}"
            if self._loss is not None or self._not_alone:
                break
            if self._is_dear(dtype):
                self._later = [*self._starts][1:]
                break
        if self._loss is None and not self._not_alone:
            self._disturbed = self._training.disturbance
            if self._training.facts.rounded:
                for start in self._starts.values():
                    start.let_runs_differ()
            self._ahead = Ahead(self._measured_ahead, self._forks())  # begun where it is needed

    def _is_dear(self, dtype: str) -> bool:
        """Return whether the run as it is written took so much of a budget that few others fit."""
        budget, seconds = self.plan.options.budget, self._seconds.get(dtype, 0.0)
        return budget is not None and dtype == "float32" and seconds > _LARGE * budget

    def tasks(self, invariants: Iterable[Invariant]) -> Sequence[tuple[Invariant, str]]:
        """Return what is examined of these: all of it as it is written first, if more is dear."""
        return sorted(super().tasks(invariants), key=lambda task: task[1] in self._later)

    def planned(self) -> tuple[Verdict, ...]:
        """Return the verdicts to come: some invariants are judged in one dtype only."""
        return tuple(
            replace(verdict, steps=self._starts[verdict.dtype].steps)
            for verdict in super().planned()
            if verdict.dtype in _entry(verdict.about).dtypes
        )

    def examine(self, invariant: Invariant, dtype: str) -> Verdict | None:
        """Judge an invariant in one dtype; None without a verdict, or after an error."""
        entry = _entry(invariant)
        if dtype not in entry.dtypes:
            return None
        if dtype in self._later:
            self._try(dtype)
            self._later.remove(dtype)
        self._begin_ahead(invariant, dtype)
        # Units are found before an invariant needs them.
        if invariant.units:
            self._find_units()
        blank = Verdict(invariant, dtype, "vacuous", steps=self._starts[dtype].steps)
        if entry.ranks and self._on_ranks:
            return self._judged(blank, entry)
        if self._not_alone:
            return replace(blank, kind="not applicable", message=self._not_alone)
        if self._disturbed:
            return replace(blank, message=self._disturbed, own_error=True)
        if self._loss is not None:
            return self._beside_loss(blank, self._loss)
        if dtype in self._broken:
            return self._broken_verdict(blank)
        if dtype == "float64" and self._departed:
            text = f"nothing is judged in float64: {self._departed}"
            return replace(blank, kind="not applicable", message=text)
        if self._unjudged and self._unjudged != invariant.stops:
            return replace(blank, message=f"not judged: {self._unjudged}")
        verdict = self._judged(blank, entry)
        unseeded = verdict.violation is not None and verdict.violation.mechanism == UNSEEDED
        if verdict.kind == "violated" and not unseeded:  # runs with the same seeds are the same
            self._unjudged = self._unjudged or invariant.stops
        if self._unjudged:
            self._ahead.close()
        return verdict

    def _forks(self) -> int:
        """Return how many forks measure beside this process: none where that does not pay."""
        options, runs = self.plan.options, self._seconds.values()
        if options.budget is not None or min(runs, default=0.0) < _DEAR:
            return 0
        return options.processes - 1 if options.processes > 1 and self._training.can_fork() else 0

    def _begin_ahead(self, invariant: Invariant, dtype: str) -> None:
        """Let forks measure what comes behind an invariant, as far as it can be measured now.

        Responses depend on the units: arrays of equal units have the same one.
        """
        behind = [*range(self._tasks.index((invariant, dtype)) + 1, len(self._tasks))]
        if not self._searched:
            abouts = {task: self._tasks[task][0] for task in behind}
            behind = [t for t, a in abouts.items() if not (a.units or a.compared == "response")]
        self._ahead.begin(behind)

    def _measured_ahead(self, tasks: Iterator[int]) -> Iterator[tuple[int, _Found | None]]:
        """Measure invariants in a fork; an error comes again where this process measures them."""
        self._training.leave_runs()
        for task in tasks:
            invariant, dtype = self._tasks[task]
            found: _Found | None = None
            with suppress(Exception):
                self._refuse_beyond_memory(_entry(invariant), dtype)
                measured = _entry(invariant).measured(self._starts[dtype])
                found = measured, self._training.facts
            yield task, found

    def _judged(self, blank: Verdict, entry: TrainingInvariant) -> Verdict:
        self.progress.case(entry.name, blank.dtype, self._examined, len(self.planned()), None)
        if entry.ranks and self._on_ranks:
            verdict = self._measured(blank, entry, entry.measured)
        else:
            verdict = self._measured_in_memory(blank, entry)
        verdict = self._qualified(verdict, entry)
        self.progress.examined(verdict)
        self._examined += 1
        return verdict

    def _qualified(self, verdict: Verdict, entry: TrainingInvariant) -> Verdict:
        """Say where a violation was found that may be none on the device that the script needs.

        There other operations are repeatable, and other numbers overflow.
        """
        how = self._training.facts.substitution
        if verdict.kind == "violated" and entry.of_device and how is not None and how.device:
            return replace(verdict, message=f"{verdict.message} (found on the CPU)")
        return verdict

    def end(self) -> None:
        """End the runs of a script, and see that it has changed no file of the user's."""
        self._ahead.close()
        self._starts.clear()
        facts = united([self._training.facts, *self._shown, self.facts])
        covered = replace(facts.covered, steps=self.plan.options.steps)
        self.facts = replace(facts, held=tuple(self._held), covered=covered)
        self._training.close()

    def remarks(self, verdicts: Sequence[Verdict]) -> Sequence[str]:  # noqa: ARG002
        """Name random operations and noise, and the units that there are."""
        remarks = [
            f"{_NOISE.get(name, name)} is active in this step ({place}); the symmetry invariants "
            "are checked with its mean"
            for name, place in self._random
        ]
        remarks += [
            f"{place} draws random numbers outside the model; checks that these alone would "
            "fail were repeated without them"
            for place in self._noise
        ]
        if self._why_none:
            remarks.append(self._why_none)
        if self.coverage is not None:
            groups = count(len(self.coverage.groups), "group")
            told = {layer.module for layer in self.coverage.without_units}
            remarks.append(f"{self.coverage.model}: {groups} of equal units")
            remarks += [
                f"{units.name}: only {units.count} of {room} are treated equally"
                f"{_at(self.coverage.stop_of(units))}; explain says why"
                for units, room in self.coverage.incomplete
                if told.isdisjoint(map(module_of, units.arrays))
            ]
        return remarks

    def _try(self, dtype: str) -> None:
        self.progress.case("first steps", dtype, 0, 1, None)
        written = self._starts.get("float32")
        try:
            if dtype == "float64" and written is not None and "float32" not in self._broken:
                refuse_beyond_memory(_PROMOTED * 2 * written.baseline.size)
            began = time.process_time()
            baseline = self._starts[dtype].baseline
            self._seconds[dtype] = time.process_time() - began
            if dtype == "float64" and written is not None and "float32" not in self._broken:
                self._departed = departure(written, self._starts[dtype])
            self.facts = united([self.facts, baseline.facts])
        except (SymmetryError, TargetError) as error:
            if dtype == "float32":  # that it cannot be promoted is the same on all ranks
                self.progress.failed(str(error))
                package = missing_package(error)
                if package and not isinstance(error, NotCheckable):
                    how = f"install it for {sys.executable}"
                    raise SymmetryError(f"{package} is not installed: {error}; {how}") from error
            if dtype == "float32" or written is None:
                if isinstance(error, ExtrasError | NotCheckable) or self._on_ranks:
                    raise SymmetryError(str(error)) from error
                if not self._fails_by_itself(error):
                    plain = self._training.plain_run()
                    if plain.why_none:
                        raise SymmetryError(plain.why_none) from error
                    alone = "" if plain.failure else ", and not by itself"  # for want of a GPU
                    raise SymmetryError(f"it fails as it is checked{alone}: {error}") from error
            self._broken[dtype] = str(error), error.failure
            if isinstance(error, LossNotFinite):
                self._explain_loss(dtype)

    def _fails_by_itself(self, error: SymmetryError | TargetError) -> bool:
        """Return whether it is certain that the training fails so without a check, too."""
        if error.failure is None:  # nothing was raised: a loss is not finite, say
            return True
        return error.failure.repeats(self._training.plain_run().failure)

    def _explain_loss(self, dtype: str) -> None:
        """Judge the invariant that says why a loss is not finite, if it is among those selected."""
        entries = (_entry(each) for each in self.plan.invariants)
        entry = next((e for e in entries if e.explains_loss and dtype in e.dtypes), None)
        if entry is not None:
            blank = Verdict(entry, dtype, "vacuous", steps=self._starts[dtype].steps)
            verdict = self._measured(blank, entry, entry.measured)
            self._loss = verdict if verdict.kind == "violated" else None

    def _find_units(self) -> None:
        """Find the units, once; if they cannot be found, invariants without units are checked."""
        if self._searched:
            return
        self._searched = True
        if self._unjudged or self._not_alone or "float32" in self._broken:
            return
        from symmetry.finding.find import find

        any_start, *_ = self._starts.values()
        try:
            self.coverage = find(any_start.target, self._finding)
        except BudgetSpent:
            self._searched = False
            raise
        except (SymmetryError, TargetError) as error:
            self._why_none = f"units were not searched, because {error}"
        except (RuntimeError, TypeError, ValueError, LookupError, NotImplementedError) as error:
            # An operation cannot be recorded or repeated; the rest can be checked all the same.
            self._why_none = f"no equal units were found: {in_one_line(error)}"
        else:
            groups = self.coverage.groups
            self._starts = {d: start.with_units(groups) for d, start in self._starts.items()}
        finally:
            gc.collect()  # what was recorded refers to itself, and is large
            give_back()

    def _finding(self, stage: str, number: int, of: int) -> None:
        """Show how far units are found; end it with the budget."""
        running.refuse_beyond_limit()
        self.progress.case(f"finding units: {stage}", "float64", number, of, None)

    def _why_no_units(self) -> str:
        """Say why there are no equal units, if an invariant that needs them was selected."""
        if self._why_none or self.coverage is None:
            return self._why_none
        reasons = dict.fromkeys(
            [layer.text for layer in self.coverage.dead]
            or [axis.why for axis in self.coverage.uncovered]
        )
        return f"no equal units were found: {', '.join(reasons) or 'each parameter is one number'}"

    def _beside_loss(self, blank: Verdict, loss: Verdict) -> Verdict:
        """Return the verdict on a loss that is not finite; nothing else can be judged then."""
        if (blank.about, blank.dtype) == (loss.about, loss.dtype):
            self.progress.examined(loss)
            return loss
        return replace(blank, kind="not applicable", message=LOSS_NOT_FINITE)

    def _broken_verdict(self, blank: Verdict) -> Verdict | None:
        """Report an error once; a training that fails in float64 alone is not applicable there."""
        (message, failure), told = self._broken[blank.dtype], self._told
        self._told = True
        runs_as_written = "float32" in self._starts and "float32" not in self._broken
        if not runs_as_written:
            return None if told else _failed(blank, message, failure)
        text = f"it does not run in float64{'' if told else f': {message}'}"
        return replace(blank, kind="not applicable", message=text)

    def _measured_in_memory(self, blank: Verdict, invariant: TrainingInvariant) -> Verdict:
        found = self._ahead.result(self._tasks.index((invariant, blank.dtype)))
        if found is not None:
            measured, shown = found
            self._shown.append(shown)
            return self._measured(blank, invariant, lambda _: measured)
        try:
            self._refuse_beyond_memory(invariant, blank.dtype)
        except SymmetryError as error:
            return replace(blank, kind="not applicable", message=str(error))
        return self._measured(blank, invariant, invariant.measured)

    def _refuse_beyond_memory(self, invariant: TrainingInvariant, dtype: str) -> None:
        """Raise SymmetryError if memory does not suffice for an invariant."""
        start = self._starts[dtype]
        if invariant.compared != "response" and not invariant.stops:
            start.release()  # what compares the states of runs was checked before
        try:
            refuse_beyond_memory(invariant.copies * start.baseline.size)
        except SymmetryError:
            self._ahead.close()  # forks have some, too
            refuse_beyond_memory(invariant.copies * start.baseline.size)

    def _measured(
        self,
        blank: Verdict,
        invariant: TrainingInvariant,
        measure: Callable[[TrainingStart], Measurement],
    ) -> Verdict:
        try:
            measured = measure(self._starts[blank.dtype])
        except NotCheckable as error:
            disturbed = isinstance(error, Disturbed)
            return replace(blank, message=str(error), own_error=disturbed)
        except Unjudged as error:
            return replace(blank, kind="not finished", message=str(error))
        except TargetError as error:
            if self._fails_by_itself(error):
                return _failed(blank, str(error), error.failure)
            if why := self._training.plain_run().why_none:
                return replace(blank, kind="not finished", message=why)
            own = f"it fails only in a run of this check: {error}"
            return replace(blank, message=own, own_error=True)
        except SymmetryError:
            raise
        except Exception as error:
            own = _own_error(error)
            return replace(blank, kind="not finished", message=own, own_error=True)
        if measured.unproved:
            if self.coverage is not None and not self.coverage.has_hidden_axes:
                return replace(blank, kind="not applicable", message=_NO_HIDDEN)
            measured = replace(measured, note=self._why_no_units())
        self._random |= dict.fromkeys(measured.random)
        self._noise |= dict.fromkeys(measured.noise)
        self._held |= dict.fromkeys(measured.held)
        violation = measured.violation
        rounding = violation is not None and bool(violation.rounding)
        verdict = verdict_of(
            blank,
            measured,
            runs=invariant.runs,
            rounds=rounding and not self.plan.options.exact,
        )
        return replace(
            verdict,
            array=violation.array if violation else measured.array,
            group=violation.group if violation else None,
            ratio=measured.ratio,
            threshold=measured.threshold,
        )


def _failed(blank: Verdict, message: str, failure: Failure | None) -> Verdict:
    """Return the verdict that a training fails by itself."""
    violation = None if failure is None else Violation.failing(failure)
    return replace(blank, kind="error", cases=1, message=message, violation=violation)


def _own_error(error: Exception) -> str:
    """Return the message for an exception of this package's own: the training has not failed."""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    where = f"{shorten(frame.f_code.co_filename)}:{line}"
    return f"an error of symmetry itself: {in_one_line(error)} ({where})"


def _entry(invariant: Invariant) -> TrainingInvariant:
    assert isinstance(invariant, TrainingInvariant)  # the catalogue of trainings has no others
    return invariant


def _at(place: SourceLine) -> str:
    return f" ({place})" if place.file else ""
