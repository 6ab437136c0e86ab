"""Running a plan: one verdict for each invariant and dtype."""

from dataclasses import replace

from symmetry.checker.examiner import Examiner
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.threads import one_thread
from symmetry.checker.trainings import TrainingExaminer
from symmetry.checker.verdict import Checked, Verdict, settled
from symmetry.steps.examiner import StepExaminer
from symmetry.training.target import Training


def run(plan: Plan, progress: Progress | None = None) -> Checked:
    """Check, and say what is wrong where several verdicts have one cause."""
    progress, options = progress or Progress(), plan.options
    progress.begin(plan.heading)
    make = TrainingExaminer if isinstance(plan.target, Training) else StepExaminer
    examiner: Examiner = make(plan, progress)
    examples = len(plan.cases) if plan.given else options.examples
    record = Checked(
        target=plan.target.name,
        seed=None if plan.given else options.seed,
        examples=examples if plan.cases else None,
        verdicts=examiner.planned(),
        heading=plan.heading,
    )
    progress.planned(record)
    verdicts: list[Verdict] = []
    with one_thread():
        examiner.begin()
        for invariant in examiner.invariants:
            found = (examiner.examine(invariant, dtype) for dtype in examiner.dtypes)
            reason = (options.expected_failures or {}).get(invariant.name)
            for verdict in settled([v for v in found if v is not None], reason):
                progress.verdict(verdict)
                verdicts.append(verdict)
        notes = tuple(examiner.notes(verdicts))
        examiner.end()
    return replace(
        record,
        verdicts=tuple(verdicts),
        notes=notes,
        warnings=tuple(examiner.warnings.values()),
        coverage=examiner.coverage,
    )
