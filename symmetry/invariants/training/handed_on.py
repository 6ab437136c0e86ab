"""``training/handed-on``: state that a step computes for the next one is handed on.

Example: the state of the optimiser is dropped, so that its moments are zero in each step.

    updates, _ = optimizer.update(gradients, state, parameters)

It is judged for running averages: moments, statistics of a normalisation, averages of weights. A
step computes a new value, but the next step gets the same old one. Return the new value, and pass
it to the next step. Statistics that stay are accused if an evaluation reads them.
"""

from __future__ import annotations

from collections.abc import Sequence

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import Note, NoteKind
from symmetry.training.capabilities.saving import Dropped, HandingOn
from symmetry.training.events import Updated
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart
from symmetry.units.words import count

AVERAGES = NoteKind(
    "training/dropped-averages",
    meaning="A step computes the new state of an optimiser, and begins with the old one each time. "
    "Whether the script hands on another one later is not seen: a loop of JAX takes the steps, "
    "parameters are updated outside of jitted functions, or the script takes too long. A client of "
    "a federated training does so on purpose. Otherwise return the new state, and hand it on.",
)
STATISTICS = NoteKind(
    "training/dropped-statistics",
    meaning="A step computes new running statistics, and every step is given the old ones. An "
    "evaluation with them is normalised by those of the start. Hand them on with the state.",
)


def handed_on(start: TrainingStart) -> Measurement:
    """Accuse the first running average of gradients whose old value is the same in each step.

    The loop of a script may put another value there, as a server does for its clients: this shows
    over whole epochs, if jitted functions take the steps one by one. Statistics that stay are no
    mistake where the model is always normalised by its batch.
    """
    run = start.begin(noise=True)
    dropped = needed(run, HandingOn).dropped()
    epochs = start.target.epochs(start.seed) if dropped and start.target.has_loop else None
    dropped = [each for each in dropped if epochs is None or each.place not in epochs.averages]
    notes: tuple[Note, ...] = ()
    if averages := [each for each in dropped if each.of_gradients]:
        text = _text(averages, "nothing is averaged over steps")
        seen = epochs is not None and epochs.of(Updated) and not epochs.is_limited
        if seen or not start.target.has_loop:
            return Measurement.violated(Violation.at(text, averages[0].place, 1))
        notes = (AVERAGES.at(text, averages[0].place),)
    elif dropped:
        read = [each for each in dropped if epochs is not None and each.place in epochs.stale]
        if read:
            text = _text(read, "an evaluation reads the one of the start")
            return Measurement.violated(Violation.at(text, read[0].place, 1))
        text = _text(dropped, "an evaluation with them is normalised by those of the start")
        notes = (STATISTICS.at(text, dropped[0].place),)
    return Measurement(counted=not start.baseline.moved <= start.baseline.trained, notes=notes)


INVARIANT = TrainingInvariant(
    name="training/handed-on",
    statement="state that a step computes for the next one is handed on",
    reason="an average of earlier steps needs their results",
    witness="a state beside the parameters that moves",
    cause="a new state is computed and dropped",
    cure="Hand the state that a step returns to the next step.",
    targets="JAX trainings",
    notes=(AVERAGES, STATISTICS),
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
