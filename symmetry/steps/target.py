"""A two-layer step as a target: how it is planned, examined, explained and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from symmetry.base.devices import RANKS, RESUMING
from symmetry.base.errors import SymmetryError
from symmetry.checker.examiner import Examiner
from symmetry.checker.options import CASES, Options
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.threads import in_words
from symmetry.checker.verdict import Verdict
from symmetry.comparison import options as comparison
from symmetry.comparison.outcome import Compared
from symmetry.explanation.explained import Explained
from symmetry.finding.coverage import Coverage
from symmetry.law.case import Case
from symmetry.law.invariant import select
from symmetry.law.target import ExplanationOptions
from symmetry.steps.cases import start_of_dataset
from symmetry.steps.catalogue import CATALOGUE, StepInvariant
from symmetry.steps.compare import compare_steps
from symmetry.steps.examiner import StepExaminer
from symmetry.steps.explain import CASE, explain_case, explain_step, explain_verdict
from symmetry.steps.step import TwoLayerStep
from symmetry.units.words import count

_PARTLY = (
    "network/* not checked: add --only '*' if your step is sigmoid, softmax and plain gradient "
    "descent"
)
_FAMILY = "symmetry/*"  # checked for a step that need not be the network of our formulas
_ON_DATA = Case(1000, 20, 200, 10, 0.01, 10, "float32", "pixels", "zero", 0)  # sizes by default


@dataclass(frozen=True, eq=False)
class StepTarget(TwoLayerStep):
    """A two-layer step by name. It is a ``symmetry.law.target.Target``."""

    noun = "two-layer step"

    @property
    def invariants(self) -> Sequence[StepInvariant]:
        """The catalogue of two-layer steps."""
        return CATALOGUE

    def plan(self, options: Options) -> Plan:
        """Return the plan of a check, with its cases."""
        if options.expect_units:
            raise SymmetryError(f"{self.name} is a two-layer step: no units are looked for in it")
        if RANKS.get() > 1 or RESUMING.get() is not None:
            text = "is a two-layer step: --ranks and --resume-with are for scripts"
            raise SymmetryError(f"{self.name} {text}")
        only, remarks = tuple(options.only), tuple[str, ...]()
        if not only and not self.builtin:
            only, remarks = (_FAMILY,), (_PARTLY,)
        invariants = select(CATALOGUE, only, tuple(options.skip))
        cases = _cases(options)
        on = f"on {count(len(cases), 'given case')}"
        if options.cases is None:
            dtypes = " and in ".join(options.dtypes)
            on = f"on {count(options.examples or CASES, 'case')} in {dtypes}, seed {options.seed}"
        return Plan(self, options, options.dtypes, invariants, on, cases, remarks)

    def examiner(self, plan: Plan, progress: Progress) -> Examiner:
        """Return the examiner of a plan."""
        return StepExaminer(self, plan, progress)

    def explanation(self, options: ExplanationOptions) -> Explained:
        """Explain it from a case, from generated data of some sizes, or on a data set."""
        dtype, sizes = options.dtype, options.sizes
        if options.steps is not None:
            raise SymmetryError(f"{self.name} is a two-layer step: it has iterations, not steps")
        if options.case is not None:
            case = replace(options.case, dtype=dtype or options.case.dtype)
            return replace(explain_case(self, case), threads=in_words())
        seed = options.seed or 0
        dtype = dtype or ("float32" if "float32" in self.dtypes else self.dtypes[0])
        if options.data is None and not sizes:
            return explain_case(self, replace(CASE, dtype=dtype, seed=seed))
        drawn = replace(_ON_DATA, dtype=dtype, seed=seed, **sizes)
        if options.data is None or not {"i", "c"}.isdisjoint(sizes):
            return replace(explain_case(self, drawn), threads=in_words())
        if options.seed is not None:
            raise SymmetryError("a seed is of generated data: give its inputs or classes as well")
        samples = drawn.n if "n" in sizes else None
        start = start_of_dataset(options.data(), samples, drawn)
        return explain_step(self, start, first=0 if samples else drawn.n)

    def explanation_of(self, verdict: Verdict, coverage: Coverage | None) -> Explained | None:  # noqa: ARG002
        """Explain a verdict of its check; None if there is nothing to explain."""
        return explain_verdict(self, verdict)

    def comparison(
        self, others: Sequence[StepTarget], options: comparison.ComparisonOptions
    ) -> Compared:
        """Compare other two-layer steps with this one."""
        if options.whole:
            raise SymmetryError(f"{self.name} is a two-layer step: it has no epochs to compare")
        return compare_steps(self, others, options)

    def close(self) -> None:
        """Do nothing: its runs hold nothing."""


def _cases(options: Options) -> tuple[Case, ...]:
    """Return the given cases as they are, or draw some."""
    cases = options.cases
    if cases is None:
        from symmetry.steps.drawn_cases import draw_cases  # imports Hypothesis

        cases = draw_cases(options.examples or CASES, options.seed, options.dtypes)
    selected = tuple(case for case in cases if case.dtype in options.dtypes)
    if not selected:
        raise SymmetryError(f"no case is in {' or '.join(options.dtypes)}")
    return selected
