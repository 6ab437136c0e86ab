"""Running a plan: one verdict for each invariant and dtype."""

from collections.abc import Iterable
from dataclasses import replace
from fnmatch import fnmatchcase

from symmetry.checker.options import Options
from symmetry.checker.plan import Plan
from symmetry.checker.progress import Progress
from symmetry.checker.threads import one_thread
from symmetry.checker.verdict import Checked, Verdict, settled
from symmetry.law.note import Note


def run(plan: Plan, progress: Progress | None = None) -> Checked:
    """Run every invariant of the plan; return one verdict for each invariant and dtype."""
    progress, options = progress or Progress(), plan.options
    progress.begin(plan.heading)
    examiner = plan.target.examiner(plan, progress)
    record = Checked(
        target=plan.target.name,
        seed=None if plan.given else options.seed,
        examples=examiner.examples,
        verdicts=examiner.planned(),
        heading=plan.heading,
    )
    progress.planned(record)
    verdicts: list[Verdict] = []
    with one_thread():
        examiner.begin()
        for invariant in examiner.invariants:
            examined = (examiner.examine(invariant, dtype) for dtype in examiner.dtypes)
            reason = options.expected_failures.get(invariant.name)
            for verdict in settled([v for v in examined if v is not None], reason):
                progress.verdict(verdict)
                verdicts.append(verdict)
        remarks = tuple(examiner.remarks(verdicts))
        examiner.end()
    notes = tuple(dict.fromkeys(note for verdict in verdicts for note in verdict.notes))
    return replace(
        record,
        verdicts=tuple(verdicts),
        remarks=remarks,
        notes=notes,
        gating=tuple(_gating(notes, options)),
        warnings=tuple(examiner.warnings.values()),
        coverage=examiner.coverage,
        drawn=examiner.drawn,
    )


def _gating(notes: Iterable[Note], options: Options) -> Iterable[Note]:
    """Return the notes that fail the check: all in a strict one, else those that are named."""
    patterns = ("*",) if options.strict else options.gate
    return (note for note in notes if any(fnmatchcase(note.name, each) for each in patterns))
