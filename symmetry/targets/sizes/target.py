"""A family of trainings as a target: how it is planned, examined, explained and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symmetry.base.devices import RANKS, RESUMING
from symmetry.base.errors import SymmetryError
from symmetry.base.ranks import launcher, world
from symmetry.checker.options import SETS, Options
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.verdict import Verdict
from symmetry.comparison import options as comparison
from symmetry.comparison.outcome import Compared
from symmetry.explanation.explained import Explained
from symmetry.finding.coverage import Coverage
from symmetry.invariants.invariant import TrainingInvariant
from symmetry.law.invariant import select
from symmetry.law.target import ExplanationOptions
from symmetry.targets.sizes.compare import compare_families
from symmetry.targets.sizes.examiner import FamilyExaminer
from symmetry.targets.sizes.family import Family
from symmetry.targets.sizes.sizes import invariants
from symmetry.targets.training import WHERE
from symmetry.units.dtypes import DTYPES
from symmetry.units.words import count


@dataclass(frozen=True)
class DrawnTrainings:
    """A family of trainings. It is a ``symmetry.law.target.Target``."""

    family: Family

    noun = "training with drawn arguments"
    dtypes = DTYPES

    @property
    def name(self) -> str:
        """As the user typed it, or ``module:attribute`` of a callable."""
        return self.family.name

    @property
    def invariants(self) -> Sequence[TrainingInvariant]:
        """The catalogue of trainings, and what holds for a family of them."""
        return invariants()

    def plan(self, options: Options) -> Plan:
        """Return the plan of a check; what is drawn is known then."""
        if world() > 1:
            text = f"draws its arguments: under {launcher().name} give all of them"
            raise SymmetryError(f"{self.name} {text}")
        if RANKS.get() > 1 or RESUMING.get() is not None:
            text = "draws its arguments: with --ranks or --resume-with give all of them"
            raise SymmetryError(f"{self.name} {text}")
        if options.budget is not None:
            text = "draws its arguments, and --budget is for one set of them: give all of them"
            raise SymmetryError(f"{self.name} {text}")
        if options.cases is not None:
            raise SymmetryError(f"{self.name} has no cases to be run: give its arguments behind --")
        chosen = select(
            self.invariants,
            tuple(options.only),
            tuple(options.skip),
            "invariant of trainings",
        )
        examples = self.family.space(options.seed).examples(options.examples or SETS)
        where = " and ".join(WHERE[dtype] for dtype in options.dtypes)
        sizes = count(len(examples), "set of arguments", "sets of arguments")
        on = f"of a training with {sizes}, {where}, seed {options.seed}"
        return Plan(self, options, options.dtypes, chosen, on, together=True)

    def examiner(self, plan: Plan, progress: Progress) -> FamilyExaminer:
        """Return the examiner of a plan."""
        return FamilyExaminer(self.family, plan, progress)

    def explanation(self, options: ExplanationOptions) -> Explained:  # noqa: ARG002
        """Refuse: one training is explained at a time."""
        usual, *_others = self.family.space(0).examples(1)
        example = self.family.member(usual).name
        raise SymmetryError(f"{self.name} draws its arguments: give all of them, as in {example!r}")

    def explanation_of(self, verdict: Verdict, coverage: Coverage | None) -> Explained | None:  # noqa: ARG002
        """Explain a verdict by the training with its smallest arguments."""
        if verdict.smallest is None or not verdict.smallest.alone:
            return None
        return self.family.member(verdict.smallest.values).explanation_of(verdict, None)

    def comparison(
        self, others: Sequence[DrawnTrainings], options: comparison.ComparisonOptions
    ) -> Compared:
        """Compare other families with this one, at each size that is drawn."""
        return compare_families(self.family, [other.family for other in others], options)

    def close(self) -> None:
        """Do nothing: each training is closed when it was checked."""
