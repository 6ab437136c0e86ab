"""``loss/inputs``: a loss gets inputs of the kind that it is defined for.

Example: ``cross_entropy(softmax(scores), labels)``. The loss applies a softmax itself, so it takes
the probabilities for logits between 0 and 1: it can never come near zero, and gradients are small.
"""

from __future__ import annotations

from symmetry.invariants.losses.contracts import faults_of
from symmetry.invariants.losses.verdicts import not_applicable, note, violated
from symmetry.law.measurement import Measurement
from symmetry.training.start import TrainingStart


def inputs(start: TrainingStart) -> Measurement:
    """Judge the losses of the first steps: the first violation counts, and all notes."""
    observed = start.baseline.observed
    if observed is None or not observed.losses:
        return not_applicable("its steps show no loss of a known kind")
    calls = [c for c in observed.losses if any(a.trained for a in c.arguments.values())]
    found = [(call, fault) for call in calls for fault in faults_of(call)]
    notes = dict.fromkeys(
        note(call.worded(f.text), call.place) for call, f in found if not f.certain
    )
    for call, fault in found:
        if fault.certain:
            array = f"{call.function}.{fault.argument}"
            return violated(
                call.worded(fault.text),
                call.place,
                array,
                step=call.step,
                notes=tuple(notes),
                mechanism=fault.mechanism,
            )
    return Measurement(counted=bool(calls), notes=tuple(notes))
