"""Invariants of resumed runs: when they apply, and where a save is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.loop.judgement import Judgement, as_measurement
from symmetry.law.invariant import Statement
from symmetry.law.measurement import Measurement
from symmetry.observe.source_line import NOWHERE, SourceLine
from symmetry.training.events import Saved
from symmetry.training.resumed_runs import ResumedRuns, Resumption
from symmetry.training.start import TrainingStart
from symmetry.units.words import count

_NO_ARGUMENTS = "it is not resumed: --resume-with 'ARGUMENTS' says how a script is"
Judge = Callable[[ResumedRuns, Judgement], None]


def resume_invariant(words: Statement, judge: Judge) -> TrainingInvariant:
    """Return an invariant of resumed runs."""

    @wraps(judge)
    def measure(start: TrainingStart) -> Measurement:
        runs = start.target.resumed_runs(start.seed)
        if runs is None:
            return Measurement.not_applicable(_NO_ARGUMENTS)
        judgement = Judgement()
        judge(runs, judgement)
        # Each save may say the same: the first one is enough.
        judgement.notes = [*{note.name: note for note in reversed(judgement.notes)}.values()][::-1]
        return as_measurement(judgement)

    return TrainingInvariant(
        **vars(words), measure=measure, dtypes=WRITTEN, runs=3, scripts=True, resumes=True
    )


def place_of(resumption: Resumption) -> str:
    """Say from where a run was resumed."""
    number = count(resumption.saved, "update")
    if resumption.again:
        return f"resumed once more, {number} behind the first time"
    return f"resumed from its files after {number}"


def save_of(resumption: Resumption) -> SourceLine:
    """Return the line that saved the files that a run was resumed from."""
    return next(_lines_of_saves(resumption), NOWHERE)


def _lines_of_saves(resumption: Resumption) -> Iterator[SourceLine]:
    for event in reversed(resumption.before.epochs.events):
        if isinstance(event, Saved) and event.update <= resumption.saved:
            yield event.at
