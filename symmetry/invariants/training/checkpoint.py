"""``training/checkpoint``: a backward computes the same again as the forward.

Example: ``checkpoint(block, x, preserve_rng_state=False)``, and the block drops out.

In the backward the block runs again, with another dropout than in the forward, so the gradient
belongs to another forward. A step is taken with all random numbers as they are drawn. Each module
or checkpointed function that a backward runs again, on the same inputs, has to return the same as
in the forward. Leave ``preserve_rng_state`` as it is; a checkpointing function of your own has to
set the random generators back to their state in the forward.

Then the training is run with checkpoints that keep everything, without random numbers: after each
step the states have to be the same, up to rounding.
"""

from __future__ import annotations

from dataclasses import replace

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.invariants.training.settings import unaffected
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note, NoteKind
from symmetry.training.capabilities.observing import Recomputed, Recomputing
from symmetry.training.capabilities.platform import Configuring
from symmetry.training.run import Run, needed
from symmetry.training.start import TrainingStart

STATISTICS = NoteKind(
    "training/statistics",
    meaning="Running statistics are updated by the forward, and once more where a backward "
    "computes it again. They follow the last batches more closely than the momentum says.",
)
_WORDS = "with checkpointing that keeps instead of computing again"
_FAR = 1e-3  # of the largest entry: other kernels explain less


def checkpoint(start: TrainingStart) -> Measurement:
    """Compare what a backward computes again, and a run that keeps with the run as it is."""
    recomputed = _recomputed(start)
    worst = max(recomputed, key=lambda each: each.distance, default=None)
    if worst is not None and worst.distance > _FAR:
        return Measurement.violated(_violation(worst))
    found = unaffected(start, "checkpoint", _WORDS, "checkpoint")
    if found.violation is not None:
        kept = unaffected(start, "checkpoint", _WORDS, "checkpoint", start.buffers)
        return kept if kept.violation is not None else replace(kept, notes=(_twice(found),))
    return found if found.applies or worst is None else Measurement(counted=True)


INVARIANT = TrainingInvariant(
    name="training/checkpoint",
    statement="a backward computes the same again as the forward",
    reason="the gradient belongs to the forward that made the loss",
    witness="a module that runs again, or a state that moved",
    cause="the recomputed forward draws other random numbers, or reads state that has changed",
    cure="Keep preserve_rng_state=True, and change no state in a checkpointed function.",
    targets="PyTorch trainings",
    failure="computes something else again",
    needs=(Configuring, Recomputing),
    measure=checkpoint,
    notes=(STATISTICS,),
    compared="response",
    dtypes=WRITTEN,
    copies=8,
)


def _recomputed(start: TrainingStart) -> list[Recomputed]:
    """Return what the first step computes again."""

    def taken(run: Run) -> list[Recomputed]:
        with needed(run, Recomputing).recomputed() as found:
            run.step()
        run.close()
        return [*found]

    return start.with_run(taken, noise=True)


def _twice(found: Measurement) -> Note:
    """Return the note that a buffer is written twice in a step."""
    array = "" if found.violation is None else found.violation.array
    return STATISTICS.at(
        f"{array} is updated by the forward, and once more where the backward computes it again: "
        "it follows the last batches more closely than its momentum says."
    )


def _violation(worst: Recomputed) -> Violation:
    text = (
        f"{worst.name} is computed again in the backward, and from the same inputs it returns "
        f"something else than in the forward ({worst.distance:.2g} of the largest entry): the "
        "gradient belongs to another forward. If it draws random numbers, leave out "
        "preserve_rng_state=False, or let a function of your own set the generators back."
    )
    return Violation.at(text, worst.at)
