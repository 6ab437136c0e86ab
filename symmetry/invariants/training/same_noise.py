"""``training/same-noise``: each step draws other noise than the steps before.

Example: a key of ``jax.random`` that the step closes over, and that never changes.

    key = jax.random.key(0)

    @jax.jit
    def step(params, x, y):
        ... model.apply(params, x, rngs={"dropout": key})

Dropout leaves out the same units in each step, so they are never trained. Keep the key in the state
and split it in each step, or use ``jax.random.fold_in`` with the number of the step.
"""

from __future__ import annotations

from symmetry.invariants.invariant import WRITTEN, TrainingInvariant
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import NoteKind
from symmetry.training.capabilities.drawing import Keyed, KeyedDraw
from symmetry.training.run import needed
from symmetry.training.start import TrainingStart

FIXED = NoteKind(
    "training/fixed-noise",
    meaning="A line draws the same random numbers in each step, and all steps have the same data: "
    "one sample of the noise may be meant. Otherwise split the key in the state, or fold the "
    "number of the step in.",
)
_CURE = "Split the key in each step and hand it on, or fold the number of the step in."


def same_noise(start: TrainingStart) -> Measurement:
    """Accuse the first draw of the model's noise whose key is the same in each step.

    Where each step sees the same data, such noise may be one fixed sample of an expectation; a mask
    that is fixed only trains a part of the model.
    """
    keyed = needed(start.begin(noise=True), Keyed)
    draws = keyed.noise()
    if not draws:
        return Measurement.not_applicable("its model draws no noise by a key")
    fixed = [draw for draw in draws if draw.is_fixed]
    certain = [draw for draw in fixed if draw.drops or keyed.has_batches]
    if certain:
        return Measurement.violated(_violation(certain[0], certain[1:]))
    return Measurement(
        counted=True, notes=tuple(FIXED.at(_text(each), each.place) for each in fixed)
    )


INVARIANT = TrainingInvariant(
    name="training/same-noise",
    statement="each step draws other noise than the steps before",
    reason="a key is split, or folded with the number of the step",
    witness="noise of the model that a key draws",
    cause="the key of the random numbers never changes",
    cure="Split the key in each step, and draw with the new one.",
    targets="JAX trainings",
    notes=(FIXED,),
    needs=(Keyed,),
    cheap=True,
    measure=same_noise,
    dtypes=WRITTEN,
    runs=1,
)


def _violation(draw: KeyedDraw, others: list[KeyedDraw]) -> Violation:
    file, line = draw.place.reference
    also = tuple(dict.fromkeys(other.place.reference for other in others))
    also = tuple(each for each in also if each != (file, line))
    return Violation(_text(draw), 1, "", file=file, line=line, also=also)


def _text(draw: KeyedDraw) -> str:
    drawn = "drops out the same entries" if draw.drops else "draws the same noise"
    return f"this {drawn} in each step: its key never changes. {_CURE}"
