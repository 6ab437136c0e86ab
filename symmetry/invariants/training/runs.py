"""``training/runs``: the script raises nothing, and exits with status 0.

Example: a validation that compares tensors of other shapes, so that it raises behind the first
epoch, hours after the start.

The script is run over whole, shortened epochs. If it raises there, or exits with another status, it
is run once more in a process of its own, as its user runs it: nothing is shortened, promoted or
observed. Only a failure at the same line is one of the script's own. A script that already fails
there before its first update, as by a file ``torch.py`` beside it, is accused, too. Mend that line;
the other checks say nothing of what comes behind it. A failure by the last, smaller batch of a
loader of many does not show: a shortened epoch ends before that batch.

With ``--ranks`` all ranks run to the end as their user starts them. None may raise, or wait for a
collective that the others do not call, as for ``dist.all_reduce(loss)`` behind ``if rank == 0:``.
"""

from __future__ import annotations

from symmetry.base.errors import Failure, Unjudged
from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note, NoteKind
from symmetry.training.start import TrainingStart

LATER = NoteKind("training/runs")


def runs(start: TrainingStart) -> Measurement:
    """Compare what a script raises over whole epochs with what it raises by itself."""
    on_ranks = start.target.on_ranks()
    if on_ranks is not None and on_ranks.failure is not None:
        return Measurement.violated(Violation.failing(on_ranks.failure))
    epochs = start.target.epochs(start.seed) if start.target.has_loop else None
    if epochs is None:
        return Measurement.not_applicable("only a script is run to its end")
    if epochs.failure is None:
        if (failure := start.target.failing_plainly) is not None:
            return Measurement.violated(Violation.failing(failure))
        return Measurement(counted=not epochs.error, note=epochs.error)
    plain = start.target.plain_run()
    if epochs.failure.repeats(plain.failure):
        return Measurement.violated(Violation.failing(plain.failure or epochs.failure))
    if plain.why_none:
        raise Unjudged(plain.why_none)
    if epochs.refused:  # epochs as they are do not fail so soon
        notes = () if plain.is_whole else (_later(epochs.failure),)
        return Measurement(counted=True, notes=notes)
    why = f"it {epochs.failure.text} while it is observed, and not by itself"
    return Measurement.cannot_judge(why, own_error=True)


INVARIANT = TrainingInvariant(
    name="training/runs",
    statement="the script raises nothing, and exits with status 0",
    reason="a script that fails behind its first epoch has trained for nothing",
    witness="an epoch of the script",
    cause="the script itself fails here, without the check as well",
    cure="Correct the exception at this line.",
    targets="scripts",
    failure="fails by itself",
    notes=(LATER,),
    measure=runs,
    dtypes=WRITTEN,
    runs=1,
    scripts=True,
)


def _later(failure: Failure) -> Note:
    text = (
        f"the script {failure.text} if its epochs have two batches; it may fail so behind its "
        "first whole epoch, which takes more than a minute"
    )
    return Note(LATER.name, text, failure.file, failure.line)
