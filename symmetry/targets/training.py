"""A training as a target: how it is planned, examined, explained and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace

from symmetry.base.devices import RANKS, RESUMING
from symmetry.base.errors import SymmetryError
from symmetry.base.ranks import launcher, world
from symmetry.checker.examiner import Examiner
from symmetry.checker.options import Options
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.trainings import TrainingExaminer
from symmetry.checker.verdict import Verdict
from symmetry.comparison import options as comparison
from symmetry.comparison.outcome import Compared
from symmetry.comparison.recorded import RecordingFile
from symmetry.comparison.trainings import Compares, compare_trainings
from symmetry.explanation.explain import STEPS, explain_training, explain_verdict
from symmetry.explanation.explained import Explained
from symmetry.finding.coverage import Coverage
from symmetry.invariants.catalogue import budgeted, catalogue
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.invariant import select
from symmetry.law.target import ExplanationOptions
from symmetry.training.target import Training

WHERE = {"float32": "as written", "float64": "in float64"}  # a training runs


@dataclass(frozen=True)
class TrainingTarget:
    """A training by name. It is a ``symmetry.law.target.Target``."""

    training: Training
    # How many units some groups must have, beside those that the training names.
    pins: Mapping[str, int] = field(default_factory=dict, compare=False, repr=False)

    noun = "training"

    @property
    def name(self) -> str:
        """As the user typed it, or ``module:attribute`` of a callable."""
        return self.training.name

    @property
    def dtypes(self) -> tuple[str, ...]:
        """The precisions in which it is checked: as written, and promoted."""
        return self.training.dtypes

    @property
    def invariants(self) -> Sequence[TrainingInvariant]:
        """The catalogue of trainings."""
        return catalogue(on_ranks=self.training.ranks, resumes=self.training.resumes)

    def plan(self, options: Options) -> Plan:
        """Return the plan of a check; the number of units may be pinned by an option."""
        dtypes = options.dtypes
        if world() > 1:  # the averaging of gradients was set up for the dtype as written
            if options.dtype and "float32" not in dtypes:
                under = f"under {launcher().name}"
                raise SymmetryError(f"{under} a training is checked as written: in float32")
            dtypes = ("float32",)
        if RANKS.get() > max(world(), self.training.ranks):
            raise SymmetryError(
                f"{self.name}: --ranks is for scripts: a function runs under {launcher().name}"
            )
        if RESUMING.get() is not None and not self.training.resumes:
            raise SymmetryError(f"{self.name}: --resume-with is for scripts")
        if options.cases is not None:
            raise SymmetryError(f"{self.name} is a training: it has no cases to be run")
        pinned = replace(self, pins={**self.pins, **options.expect_units})
        invariants = select(
            self.invariants,
            tuple(options.only),
            tuple(options.skip),
            "invariant of trainings",
        )
        if options.budget is not None:
            invariants = budgeted(invariants)
        where = " and ".join(WHERE[dtype] for dtype in dtypes)
        on = f"of a training, {where}, seed {options.seed}"
        return Plan(pinned, options, dtypes, invariants, on)

    def examiner(self, plan: Plan, progress: Progress) -> Examiner:
        """Return the examiner of a plan."""
        return TrainingExaminer(self.training, plan, progress, self.pins)

    def explanation(self, options: ExplanationOptions) -> Explained:
        """Explain it in float64, where rounding hides nothing, and then as it is written.

        It has its own sizes and data.
        """
        if options.case is not None or options.sizes:
            raise SymmetryError(f"{self.name} is a training: it has no cases and sizes to be run")
        steps = STEPS if options.steps is None else options.steps
        with closing(self.training):
            explained = explain_training(
                self.training, dtype=options.dtype, steps=steps, seed=options.seed or 0
            )
        return replace(explained, excused=True)

    def explanation_of(self, verdict: Verdict, coverage: Coverage | None) -> Explained | None:
        """Explain a verdict of its check; None if there is nothing to explain."""
        groups = None if coverage is None else coverage.groups
        with closing(self.training):
            return explain_verdict(self.training, verdict, groups)

    @property
    def side(self) -> Compares:
        """The side of a comparison that it is."""
        return self.training

    def comparison(
        self, others: Sequence[Sided], options: comparison.ComparisonOptions
    ) -> Compared:
        """Compare other trainings and recorded runs with this one."""
        return compare_trainings(self.side, [other.side for other in others], options)

    def close(self) -> None:
        """End all its runs."""
        self.training.close()


@dataclass(frozen=True)
class RecordedRun:
    """The file of a recorded run: it stands for its training in comparisons."""

    side: RecordingFile

    noun = "training"

    @property
    def name(self) -> str:
        """The path of the file."""
        return self.side.name

    def comparison(
        self, others: Sequence[Sided], options: comparison.ComparisonOptions
    ) -> Compared:
        """Compare trainings and other recorded runs with this one."""
        return compare_trainings(self.side, [other.side for other in others], options)

    def close(self) -> None:
        """Do nothing: nothing runs."""


Sided = TrainingTarget | RecordedRun
