"""``training/handed-on``: state that a step computes for the next one is handed on.

Example: the state of the optimiser is dropped, so that its moments are zero in each step.

    updates, _ = optimizer.update(gradients, state, parameters)

It is judged for running averages: moments, statistics of a normalisation, averages of weights. A
step computes a new value, but the next step gets the same old one. Return the new value, and pass
it to the next step.
"""

from __future__ import annotations

from collections.abc import Sequence

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note, NoteKind
from symmetry.training.capabilities.saving import Dropped, HandingOn
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.words import count

STATISTICS = NoteKind(
    "training/dropped-statistics",
    meaning="A step computes new running statistics, and every step is given the old ones. An "
    "evaluation with them is normalised by those of the start. Hand them on with the state.",
)


def handed_on(start: TrainingStart) -> Measurement:
    """Accuse the first running average of gradients whose old value is the same in each step.

    Statistics that stay are no mistake where the model is always normalised by its batch.
    """
    run = start.begin(noise=True)
    dropped = needed(run, HandingOn).dropped()
    certain = [each for each in dropped if each.of_gradients]
    if certain:
        file, line = certain[0].place.reference
        text = _text(certain, "the optimiser begins anew in each step")
        return Measurement.violated(Violation(text, 1, "", file=file, line=line))
    notes: tuple[Note, ...] = ()
    if dropped:
        text = _text(dropped, "an evaluation with them is normalised by those of the start")
        notes = (STATISTICS.at(text, dropped[0].place),)
    return Measurement(counted=not start.baseline.moved <= start.baseline.trained, notes=notes)


INVARIANT = TrainingInvariant(
    name="training/handed-on",
    statement="state that a step computes for the next one is handed on",
    reason="an average of earlier steps needs their results",
    witness="a state beside the parameters that moves",
    targets="JAX trainings",
    notes=(STATISTICS,),
    needs=(HandingOn,),
    cheap=True,
    measure=handed_on,
    dtypes=WRITTEN,
    runs=1,
)


def _text(dropped: Sequence[Dropped], so: str) -> str:
    first, *others = dropped
    more = f" and {count(len(others), 'other array')}" if others else ""
    return (
        f"the new value of {first.name}{more} is computed here, and no step is given it: each "
        f"begins with the old one, so that {so}. Return the new state, and hand it on."
    )
