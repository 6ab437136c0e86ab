"""``loss/inputs``: a loss gets inputs of the kind that it is defined for.

Example: ``cross_entropy(softmax(scores), labels)``. The loss applies a softmax itself, so it takes
the probabilities for logits between 0 and 1: it can never come near zero, and gradients are small.
"""

from __future__ import annotations

from symmetry.invariants.invariant import PROMOTED, TrainingInvariant
from symmetry.invariants.loss.contracts import faults_of
from symmetry.law.measurement import Measurement, Violation
from symmetry.law.note import NoteKind
from symmetry.training.losses import LossProbe
from symmetry.training.start import TrainingStart

INPUTS = NoteKind("loss/inputs")


def inputs(start: TrainingStart) -> Measurement:
    """Judge the losses of the first steps: the first violation counts, and all notes."""
    observed = start.baseline.observed
    if observed is None or not observed.losses:
        return Measurement.not_applicable("its steps show no loss of a known kind")
    calls = [c for c in observed.losses if any(a.trained for a in c.arguments.values())]
    found = [(call, fault) for call in calls for fault in faults_of(call)]
    notes = dict.fromkeys(
        INPUTS.at(call.worded(f.text), call.place) for call, f in found if not f.certain
    )
    for call, fault in found:
        if fault.certain:
            array, text = f"{call.function}.{fault.argument}", call.worded(fault.text)
            where = call.place, call.step + 1, array
            violation = Violation.at(text, *where, mechanism=fault.mechanism)
            return Measurement.violated(violation, notes=tuple(notes))
    return Measurement(counted=bool(calls), notes=tuple(notes))


INVARIANT = TrainingInvariant(
    name="loss/inputs",
    statement="a loss gets inputs of the kind that it is defined for (float64)",
    reason="probabilities are at least zero and sum to one, logits do not by chance",
    witness="a loss of a known kind that depends on trained parameters",
    cause="the loss applies the last activation itself, or is defined on other targets",
    cure="Give the loss the kind of inputs that its documentation names.",
    targets="PyTorch and JAX trainings",
    notes=(INPUTS,),
    needs=(LossProbe,),
    cheap=True,
    measure=inputs,
    dtypes=PROMOTED,
    runs=1,
)
