"""Checking a PyTorch training: its invariants in the precision it is written for, and promoted."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from symmetry import ranks
from symmetry.checker import demands, threads
from symmetry.checker.check import Progress
from symmetry.checker.verdict import Checked, Kind, Verdict, settled
from symmetry.errors import SymmetryError
from symmetry.invariants.catalogue import matching
from symmetry.invariants.finding import Finding
from symmetry.invariants.training import TrainingSetting
from symmetry.invariants.trainings import TRAININGS, TrainingInvariant
from symmetry.memory import refuse_beyond_memory
from symmetry.targets.coverage import Coverage
from symmetry.targets.trainer import TrainerError, in_one_line
from symmetry.targets.training import Training
from symmetry.units.words import count

STEPS = 4
_PROMOTED = 10  # copies of the state that little can be judged without in float64
# Where one of these is violated nothing else is judged: it would mean nothing, and ranks that see
# different numbers would wait for each other.
_FIRST = {
    "training/replicas": "its ranks do not hold the same parameters",
    "symmetry/repeatable": "the training does not repeat itself",
}


@dataclass(frozen=True)
class TrainingPlan:
    """A check of a training that can be run; see ``plan_training`` for what the attributes mean."""

    training: Training
    invariants: tuple[TrainingInvariant, ...]
    dtypes: tuple[str, ...]
    seed: int
    steps: int
    exact: bool
    expected_failures: Mapping[str, str]

    @property
    def heading(self) -> tuple[str, ...]:
        """Say what is checked, and under which conditions."""
        what = f"{self.training.name}: {count(len(self.invariants), 'invariant')} of a training"
        where = f"as written and in float64, seed {self.seed}"
        if len(self.dtypes) == 1:
            where = {"float32": "as written", "float64": "in float64"}[self.dtypes[0]]
            where += f", seed {self.seed}"
        return f"{what}, {where}{', exactly' * self.exact}", threads.in_words()

    def each(self) -> Iterator[TrainingPlan]:
        """Yield the same plan for one invariant after the other."""
        for invariant in self.invariants:
            yield replace(self, invariants=(invariant,))

    def run(self, progress: Progress | None = None) -> Checked:
        """Find the equal units, and check the invariants one after the other."""
        progress = progress or Progress()
        progress.begin(self.heading)
        with threads.one_thread():
            return _Check(self, progress).run()


def plan_training(
    training: Training,
    *,
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    seed: int = 0,
    dtypes: Sequence[str] = (),
    exact: bool = False,
    expected_failures: Mapping[str, str] | None = None,
    steps: int = STEPS,
) -> TrainingPlan:
    """Plan the check of a training.

    The parameters are those of ``symmetry.check``.

    Raises
    ------
    SymmetryError
        If one of these makes no sense; the message is one readable line.
    """
    expected = demands.expected_failures(expected_failures, TRAININGS)
    demands.at_least("steps", steps, 2)
    chosen = demands.dtypes(dtypes)
    return TrainingPlan(training, select(only, skip), chosen, seed, steps, exact, expected)


def select(only: Sequence[str] = (), skip: Sequence[str] = ()) -> tuple[TrainingInvariant, ...]:
    """Return the invariants of trainings that ``matching`` finds; without ``only`` the usual ones.

    Those on request are not among them, nor what speaks of several ranks where there is one.
    """
    usual = [i.name for i in TRAININGS if not i.on_request and (ranks.world() > 1 or not i.ranks)]
    return matching(TRAININGS, only or usual, skip, "invariant of trainings")


class _Check:
    """One run of a plan: the settings, and what went wrong in them."""

    def __init__(self, plan: TrainingPlan, progress: Progress) -> None:
        self._plan, self._progress = plan, progress
        self._settings: dict[str, TrainingSetting] = {}
        self._broken: dict[str, str] = {}  # dtypes in which not even a plain run works
        self._ended: set[str] = set()  # those in which it ended its process
        self._unfound = ""  # how it ended its process while units were looked for
        self._told = False  # whether it was said why a plain run does not work
        self._unjudged = ""  # why nothing else is judged
        self._looked = False
        self._coverage: Coverage | None = None
        self._why = ""

    def run(self) -> Checked:
        plan = self._plan
        for dtype in plan.dtypes:
            self._settings[dtype] = TrainingSetting(plan.training, dtype, plan.seed, plan.steps)
            self._try(dtype)
        verdicts: list[Verdict] = []
        for invariant in sorted(plan.invariants, key=_in_order):
            if invariant.units and not self._looked:
                self._find()
            dtypes = [d for d in plan.dtypes if d in invariant.dtypes]
            found = [v for dtype in dtypes if (v := self._examine(invariant, dtype)) is not None]
            for verdict in settled(found, plan.expected_failures.get(invariant.name)):
                self._progress.verdict(verdict)
                verdicts.append(verdict)
        return Checked(
            plan.training.name,
            plan.seed,
            None,
            tuple(verdicts),
            plan.heading,
            self._notes(),
            self._coverage,
        )

    def _find(self) -> None:
        """Find the units; where that cannot be done, what needs none is checked all the same."""
        self._looked = True
        if self._unjudged or "float32" in self._broken:
            return
        from symmetry.targets.finding.find import find

        if (known := self._tell("finding units", "float64")) is not None:
            self._unfound = f"while equal units were looked for, {known.message}"
            return
        try:
            self._coverage = find(self._plan.training)
        except (SymmetryError, TrainerError) as error:
            self._why = f"no equal units were looked for: {error}"
            return
        except (RuntimeError, TypeError, ValueError, LookupError, NotImplementedError) as error:
            # An operation cannot be recorded or repeated; the rest can be checked all the same.
            self._why = f"no equal units were found: {in_one_line(error)}"
            return
        finally:
            gc.collect()  # what was recorded refers to itself, and is large
        for setting in self._settings.values():
            setting.model_units = self._coverage.groups

    def _try(self, dtype: str) -> None:
        """See whether the training fits into memory, runs at all, and gives finite losses."""
        if (known := self._tell("first steps", dtype)) is not None:
            self._broken[dtype] = known.message
            self._ended.add(dtype)
            return
        setting = self._settings[dtype]
        written = self._settings.get("float32")
        try:
            if dtype == "float64" and written is not None:
                refuse_beyond_memory(_PROMOTED * 2 * written.size)
            setting.take_first_steps()
        except (SymmetryError, TrainerError) as error:
            if dtype == "float32":  # that it cannot be promoted is the same on all ranks
                self._progress.failed(str(error))
            self._broken[dtype] = str(error)

    def _examine(self, invariant: TrainingInvariant, dtype: str) -> Verdict | None:
        """Judge one invariant in one dtype; None where an error has been told already."""
        blank = Verdict(invariant.name, dtype, "vacuous", steps=self._plan.steps)
        verdict = self._progress.known(invariant.name, dtype)
        if verdict is not None:
            self._learn(verdict)
            return replace(verdict, steps=self._plan.steps)
        if dtype in self._broken:
            return self._broken_verdict(blank)
        if self._unjudged and self._unjudged != _FIRST.get(invariant.name):
            return replace(blank, message=f"not judged: {self._unjudged}")
        if invariant.units and self._unfound:
            return replace(blank, kind="error", cases=1, message=self._unfound)
        self._tell(invariant.name, dtype)
        verdict = self._measured(blank, invariant)
        self._progress.examined(verdict)
        self._learn(verdict)
        return replace(verdict, steps=self._plan.steps)

    def _learn(self, verdict: Verdict) -> None:
        if verdict.kind == "violated":
            self._unjudged = self._unjudged or _FIRST.get(verdict.invariant, "")

    def _measured(self, blank: Verdict, invariant: TrainingInvariant) -> Verdict:
        setting = self._settings[blank.dtype]
        try:
            refuse_beyond_memory(invariant.copies * setting.size)
        except SymmetryError as error:
            return replace(blank, kind="not applicable", message=str(error))
        try:
            finding = invariant.measure(setting)
        except TrainerError as error:
            return replace(blank, kind="error", cases=1, message=str(error))
        return self._verdict(blank, finding, invariant)

    def _broken_verdict(self, blank: Verdict) -> Verdict | None:
        """Tell an error once; what runs as written but not in float64 is not applicable there."""
        message = self._broken[blank.dtype]
        only_there = blank.dtype == "float64" and "float32" not in self._broken
        if only_there and blank.dtype not in self._ended:
            if "float32" in self._plan.dtypes:
                why = "" if self._told else f": {message}"
                self._told = True
                text = f"it does not run in float64{why}"
                return replace(blank, kind="not applicable", message=text)
            return replace(blank, kind="error", cases=1, message=message)
        told, self._told = self._told, True
        return None if told else replace(blank, kind="error", cases=1, message=message)

    def _verdict(self, blank: Verdict, finding: Finding, invariant: TrainingInvariant) -> Verdict:
        violation = finding.violation
        kind: Kind = "holds" if finding.counted else "vacuous"
        if not finding.applies:
            kind = "not applicable"
        elif violation is not None:
            kind = "rounding" if violation.rounding and not self._plan.exact else "violated"
        otherwise = finding.note or f"nothing to tell: it needs {invariant.witness}"
        message = otherwise if kind in ("vacuous", "not applicable") else finding.note
        return replace(
            blank,
            kind=kind,
            cases=invariant.runs,
            counted=invariant.runs if finding.counted else 0,
            max_ulps=finding.max_ulps,
            margin=finding.margin,
            violation=violation,
            message=violation.message if violation else message,
            array=violation.array if violation else finding.array,
            group=violation.group if violation else None,
            ratio=finding.ratio,
            threshold=finding.threshold,
        )

    def _notes(self) -> tuple[str, ...]:
        """Say what the verdicts do not: random operations, and that there are no units."""
        random = dict.fromkeys(op for s in self._settings.values() for op in s.random)
        notes = [
            f"{_NOISE.get(name, name)} is active in this step ({place}); the symmetry invariants "
            "are checked with its mean"
            for name, place in random
        ]
        if self._why:
            notes.append(self._why)
        if self._coverage is not None:
            groups = count(len(self._coverage.groups), "group")
            notes.append(f"{self._coverage.model}: {groups} of equal units")
            notes += [
                f"{units.name}: only {units.count} of {room} are treated equally"
                for units, room in zip(self._coverage.groups, self._coverage.room, strict=True)
                if room > units.count
            ]
        return tuple(notes)

    def _tell(self, what: str, dtype: str) -> Verdict | None:
        """Say what is about to be done; return the verdict if nothing is to be run for it."""
        known = self._progress.known(what, dtype)
        if known is None:
            self._progress.case(what, dtype, 0, 1, None)
        return known


_NOISE = {
    "bernoulli": "dropout",
    "native_dropout": "dropout",
    "normal": "normal noise",
    "randn": "normal noise",
    "randn_like": "normal noise",
    "uniform": "uniform noise",
    "rand": "uniform noise",
    "rand_like": "uniform noise",
}


def _in_order(invariant: TrainingInvariant) -> int:
    """Put first what decides whether anything else is judged."""
    return [*_FIRST].index(invariant.name) if invariant.name in _FIRST else len(_FIRST)
